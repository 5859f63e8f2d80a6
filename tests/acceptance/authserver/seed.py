"""Fills the database: a client, a resource server, and users who have granted the client access.

Everything is made with the toolkit's own models and token generator, as its consent page would.
Import it after Django is set up. Next: __main__.py serves what was made here.
"""
# mypy: disable-error-code="import-untyped"
# Django and the toolkit ship no type information.

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application, RefreshToken
from oauthlib.common import generate_token

ORGANIZATIONS = 5


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client and its secret, which the database holds only as a hash."""

    application: Any
    client_secret: str = field(repr=False)

    @property
    def client_id(self) -> str:
        """Names the client to the server."""
        return str(self.application.client_id)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user granted: a token pair and how long its access token lasts from now."""

    username: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: float


def register_client(name: str) -> Client:
    """Registers a confidential client with a random secret."""
    client_secret = secrets.token_urlsafe(32)
    application = Application.objects.create(
        name=name,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris="http://localhost/callback",
        client_secret=client_secret,
    )
    return Client(application, client_secret)


def lifetimes(count: int, access_token_seconds: float) -> list[float]:
    """Returns `count` lifetimes spread evenly from three fifths to the whole of the given one.

    As among users who connected over time, so that their refreshes do not fall due together:
    5, 10, 15 and 20 s for four grants of 20 s.
    """
    steps = max(count - 1, 1)
    return [access_token_seconds * (0.6 + 0.4 * step / steps) for step in range(count)]


def issue_grants(client: Client, expires_in: Sequence[float]) -> list[Grant]:
    """Stores one user with one token pair for each given lifetime, in one transaction."""
    grants = [
        Grant(f"user-{number:05}", generate_token(), generate_token(), seconds)
        for number, seconds in enumerate(expires_in)
    ]
    with transaction.atomic():
        users = User.objects.bulk_create(User(username=grant.username) for grant in grants)
        access_tokens = AccessToken.objects.bulk_create(
            _access_token(client, user, grant) for user, grant in zip(users, grants, strict=True)
        )
        RefreshToken.objects.bulk_create(
            _refresh_token(client, access_token, grant)
            for access_token, grant in zip(access_tokens, grants, strict=True)
        )
    return grants


def _access_token(client: Client, user: Any, grant: Grant) -> Any:
    return AccessToken(
        user=user,
        application=client.application,
        token=grant.access_token,
        expires=timezone.now() + timedelta(seconds=grant.expires_in),
        scope="read",
    )


def _refresh_token(client: Client, access_token: Any, grant: Grant) -> Any:
    return RefreshToken(
        user=access_token.user,
        application=client.application,
        access_token=access_token,
        token=grant.refresh_token,
        # Without a family the toolkit has nothing to revoke when a spent token comes back.
        token_family=uuid.uuid4(),
    )


def write_grants(grants: Sequence[Grant], file: Path) -> None:
    """Writes the grants as `refresher import` reads them; only the owner may read the file."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        for number, grant in enumerate(grants):
            stream.write(json.dumps(_import_line(number, grant)) + "\n")


def _import_line(number: int, grant: Grant) -> dict[str, str | float]:
    return {
        "organization_id": f"organization-{number % ORGANIZATIONS}",
        "provider": "toolkit",
        "external_id": grant.username,
        "name": f"User {number}",
        "access_token": grant.access_token,
        "refresh_token": grant.refresh_token,
        "expires_in": round(grant.expires_in, 3),
    }
