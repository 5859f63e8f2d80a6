"""Django settings for one run, built from its options.

No environment variables and no settings module: two servers with different lifetimes can run at
once, and what a run does is told by its command line alone. Next: __main__.py applies these.
"""

from __future__ import annotations

import secrets
from typing import Any

from .options import Options

PACKAGE = __package__


def settings_for(options: Options) -> dict[str, Any]:
    """Returns the Django settings of one run."""
    return {
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost"],
        "AUTHSERVER_REQUESTS_FILE": options.requests_file,
        "DATABASES": {"default": _database(options)},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": [
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "oauth2_provider",
        ],
        "LOGGING": _logging(),
        "MIDDLEWARE": [f"{PACKAGE}.recorder.recorder"],
        "OAUTH2_PROVIDER": _oauth2(options),
        # The toolkit checks the client secret on every request. The default hasher is slow by
        # intent (about 0.2 s), which is right for people's passwords and would cap this server
        # at a few requests a second; the secret is random and the run is short.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],
        "ROOT_URLCONF": f"{PACKAGE}.urls",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "USE_TZ": True,
    }


def _database(options: Options) -> dict[str, Any]:
    """Returns an SQLite database that several threads may write to.

    IMMEDIATE takes the write lock when a transaction begins. A deferred one that first reads and
    then writes fails with "database is locked" at once, whatever the timeout.
    """
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": options.database_file,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 30,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def _oauth2(options: Options) -> dict[str, Any]:
    """Returns the toolkit's settings: single-use refresh tokens, and reuse ends the family."""
    return {
        "ACCESS_TOKEN_EXPIRE_SECONDS": options.access_token_seconds,
        "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": options.grace_seconds,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "ROTATE_REFRESH_TOKEN": True,
        "SCOPES": {"read": "Read the account."},
    }


def _logging() -> dict[str, Any]:
    """Returns logging to standard error, so that a failure inside the server leaves its traceback.

    Refused requests (4xx) are what many tests are about and are recorded anyway; requests that
    wait for a thread are what a burst looks like.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"stderr": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {"django.request": {"level": "ERROR"}, "waitress.queue": {"level": "ERROR"}},
    }
