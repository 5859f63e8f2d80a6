"""django-oauth-toolkit with Django's own login page and the toolkit's consent page, for a browser.

Its arguments are an empty folder and the redirect URI of its one client. It sends no `iss`, requires
PKCE, and has OpenID Connect on. Besides what Django and the toolkit answer there is `/counted`: how
often the token endpoint was asked for what, and how that ended.
"""
# mypy: disable-error-code="import-untyped"
# Django and the toolkit ship no type information.

from __future__ import annotations

import secrets
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.foreign.programs import serve

PEOPLE = ("ann", "ben")
SCOPES = {"openid": "Know who you are", "read": "Read your things", "write": "Change your things"}
CONTRIB = ("admin", "auth", "contenttypes", "messages", "sessions")
MIDDLEWARE = (
    "sessions.middleware.SessionMiddleware",
    "auth.middleware.AuthenticationMiddleware",
    "messages.middleware.MessageMiddleware",
)
CONTEXT = (
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
)
counted: Counter[str] = Counter()
urlpatterns: list[Any] = []
"""Filled when Django is set up; this module is its ROOT_URLCONF."""
_lock = threading.Lock()


def settings_for(folder: Path) -> dict[str, Any]:
    """Returns the Django settings of one run."""
    return {
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / "consent.sqlite3",
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            }
        },
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": [*(f"django.contrib.{name}" for name in CONTRIB), "oauth2_provider"],
        "LOGIN_URL": "/admin/login/",
        "MIDDLEWARE": [
            f"{__name__}.counter",
            "django.middleware.csrf.CsrfViewMiddleware",
            *(f"django.contrib.{name}" for name in MIDDLEWARE),
        ],
        "OAUTH2_PROVIDER": {
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": _key(),
            "ROTATE_REFRESH_TOKEN": True,
            "SCOPES": SCOPES,
        },
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick, on purpose
        "ROOT_URLCONF": __name__,
        "SECRET_KEY": secrets.token_urlsafe(32),
        "STATIC_URL": "static/",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": CONTEXT},
            }
        ],
        "USE_TZ": True,
    }


def counter(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Django middleware: counts token requests by grant type and by how they ended."""

    def count(request: HttpRequest) -> HttpResponse:
        if request.path == "/counted":
            with _lock:
                return JsonResponse(dict(counted))
        response = get_response(request)
        if request.path == "/o/token/":
            ended = "granted" if response.status_code == 200 else "refused"
            with _lock:
                counted[f"{request.POST.get('grant_type', 'unknown')} {ended}"] += 1
        return response

    return count


def main() -> None:
    """Makes database, people and client, says so in one line, and serves."""
    folder, redirect_uri = Path(sys.argv[1]), sys.argv[2]
    settings.configure(**settings_for(folder))
    django.setup()
    call_command("migrate", verbosity=0)
    urlpatterns.extend(_urls())
    told = _seed(redirect_uri)
    serve(get_wsgi_application(), lambda _url: told)


def _urls() -> list[Any]:
    from django.contrib import admin  # noqa: PLC0415 (loads only after the settings)
    from django.urls import include, path  # noqa: PLC0415

    return [path("admin/", admin.site.urls), path("o/", include("oauth2_provider.urls"))]


def _seed(redirect_uri: str) -> dict[str, object]:
    from django.contrib.auth.models import User  # noqa: PLC0415
    from oauth2_provider.models import Application  # noqa: PLC0415

    password, secret = secrets.token_urlsafe(12), secrets.token_urlsafe(32)
    for name in PEOPLE:
        User.objects.create_superuser(name, f"{name}@example.com", password)
    made = Application.objects.create(
        name="Acme", client_type=Application.CLIENT_CONFIDENTIAL, client_secret=secret,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        algorithm=Application.RS256_ALGORITHM, redirect_uris=redirect_uri,
    )  # fmt: skip
    return {"client_id": str(made.client_id), "secret": secret, "password": password}


def _key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


if __name__ == "__main__":
    main()
