"""Has python-social-auth and django-allauth themselves store accounts, and Django dump them.

Its arguments are the URL of an empty PostgreSQL and a folder; standard input has the answers of a token
endpoint, by account. What they store is made by their own code: the backend's `extra_data`, and the
adapter's `parse_token`. No sign-in in a browser is played.
"""
# mypy: disable-error-code="import-untyped, import-not-found, no-untyped-call, misc"
# They ship no type information, and are there only with the extra `foreign`.
# ruff: noqa: PLC0415  models can be imported once Django is set up

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core.management import call_command

APPS = ("auth", "contenttypes", "sessions", "messages")
ALLAUTH = ("allauth", "allauth.account", "allauth.socialaccount")
GOOGLE = "allauth.socialaccount.providers.google"


def configure(url: str) -> None:
    """Sets Django up on the database."""
    parts = urlsplit(url)
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.removeprefix("/"),
                "USER": parts.username,
                "PASSWORD": parts.password,
                "HOST": parts.hostname,
                "PORT": parts.port,
            }
        },
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in APPS), *ALLAUTH, GOOGLE, "social_django",
        ],
        MIDDLEWARE=["allauth.account.middleware.AccountMiddleware"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SECRET_KEY="a test's",
        SOCIAL_AUTH_GOOGLE_OAUTH2_KEY="client",
        SOCIALACCOUNT_STORE_TOKENS=True,
        USE_TZ=True,
    )  # fmt: skip
    django.setup()
    call_command("migrate", verbosity=0)


def social_auth(user: Any, uid: str, answer: dict[str, Any]) -> None:
    """Stores an account as python-social-auth's pipeline does: its association, then `extra_data`."""
    from social_core.backends.google import GoogleOAuth2
    from social_django.models import DjangoStorage, UserSocialAuth
    from social_django.strategy import DjangoStrategy

    backend = GoogleOAuth2(DjangoStrategy(DjangoStorage))
    stored = UserSocialAuth.create_social_auth(user, uid, backend.name)
    stored.set_extra_data(backend.extra_data(user, uid, answer, {}, {}))
    stored.save()


def allauth(user: Any, uid: str, answer: dict[str, Any]) -> None:
    """Stores an account as django-allauth's views do: what the adapter makes of the answer."""
    from allauth.socialaccount.models import SocialAccount, SocialApp
    from allauth.socialaccount.providers.google.views import GoogleOAuth2Adapter

    app, _ = SocialApp.objects.get_or_create(
        provider="google", name="Google", client_id="client", secret="not ours"
    )
    account = SocialAccount.objects.create(user=user, provider="google", uid=uid)
    token = GoogleOAuth2Adapter(None).parse_token(answer)
    token.app, token.account = app, account
    token.save()


def main(url: str, folder: Path) -> None:
    """Stores all, and dumps what each library has."""
    configure(url)
    from django.contrib.auth import get_user_model

    for number, (uid, answer) in enumerate(json.load(sys.stdin).items()):
        user = get_user_model().objects.create_user(f"user-{number}")
        social_auth(user, uid, answer)
        allauth(user, uid, answer)
    for label in ("social_django", "socialaccount"):
        call_command("dumpdata", label, output=str(folder / f"{label}.json"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
