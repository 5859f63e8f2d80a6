"""Reads what libraries for signing in keep of an account, and what people keep beside Supabase Auth.

Facts: `AdapterAccount` of @auth/core/adapters; `UserMixin` of social_core/storage.py (`expires` counts
from `auth_time`, or is an instant); the models of allauth/socialaccount/models.py; Supabase's guide to
social login ("provider tokens are intentionally not stored"). The id_token is nobody's to keep.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from refresher.errors import InvalidConnection
from refresher.rules.moving.theirs import (
    Row,
    Theirs,
    first,
    instant,
    needed,
    scopes,
    table,
    text,
    token,
)

_INSTANT_FROM_SECONDS = 63_072_000
"""social_core takes `expires` of more than two years for an instant."""
NO_SUPABASE_TOKEN = (
    "there is no provider's token in it: Supabase Auth stores none (neither in auth.identities nor in "
    "auth.users), so import the table or file into which your application saved "
    "session.provider_token and session.provider_refresh_token"
)


def authjs(row: Row) -> Theirs:
    """Returns what a row of an Auth.js adapter is; columns mapped to snake_case are read, too."""
    kind = text(row, "type")
    if kind not in {"oauth", "oidc", None}:
        raise InvalidConnection(f"it is of the type {kind}, which has no tokens of a provider")
    user = text(row, "userId", "user_id")
    return Theirs(
        provider=needed(row, "provider"),
        external_id=needed(row, "providerAccountId", "provider_account_id"),
        organization=user,
        access_token=token(row, "access_token", "accessToken"),
        refresh_token=token(row, "refresh_token", "refreshToken"),
        expires_at=instant(row, "expires_at", "expiresAt"),
        granted_scopes=scopes(row.get("scope")),
        metadata=_of_user(user),
    )


def python_social_auth(row: Row) -> Theirs:
    """Returns what a row of social_auth_usersocialauth is; a fixture's `user` is its `user_id`."""
    data = table(row, "extra_data")
    user = text(row, "user_id", "user")
    if isinstance(data.get("access_token"), dict):
        raise InvalidConnection("it has a token of OAuth 1, which is never refreshed")
    return Theirs(
        provider=needed(row, "provider"),
        external_id=needed(row, "uid"),
        organization=user,
        access_token=token(data, "access_token"),
        refresh_token=token(data, "refresh_token"),
        expires_at=_social_end(data),
        granted_scopes=scopes(data.get("scope")),
        places={k: v for k, v in data.items() if isinstance(v, str) and not k.endswith("token")},
        metadata=_of_user(user),
    )


def _social_end(data: Row) -> datetime | None:
    """Returns when the access token ends; None where `expires` counts from nobody knows when."""
    absolute = instant(data, "expires_on")
    if absolute is not None:
        return absolute
    told = text(data, "expires_in", "expires")
    if told is None:
        return None
    if not told.isascii() or not told.isdigit() or len(told) > 12:
        raise InvalidConnection("expires is no number of seconds")
    seconds = int(told)
    if seconds > _INSTANT_FROM_SECONDS:
        return datetime.fromtimestamp(seconds, UTC)
    begun = instant(data, "auth_time")
    return begun + timedelta(seconds=seconds) if begun else None


def django_allauth(row: Row) -> Theirs:
    """Returns what a token of django-allauth is, with its account's columns beside it."""
    user = text(row, "user_id")
    return Theirs(
        provider=needed(row, "provider"),
        external_id=needed(row, "uid"),
        organization=user,
        access_token=token(row, "token"),
        refresh_token=token(row, "token_secret"),
        expires_at=instant(row, "expires_at"),
        client=text(row, "client_id", "app_id"),
        metadata=_of_user(user),
    )


def supabase(row: Row) -> Theirs:
    """Returns what an application kept of a session of Supabase Auth.

    `access_token` and `expires_at` of such a session are Supabase's own: only `provider_…` counts.
    """
    user = text(row, "user_id", "id") or text(table(row, "user"), "id")
    access = token(row, "provider_token", "provider_access_token")
    refresh = token(row, "provider_refresh_token")
    if access is None and refresh is None:
        raise InvalidConnection(NO_SUPABASE_TOKEN)
    return Theirs(
        provider=_supabase_provider(row),
        external_id=text(row, "provider_id", "sub") or user or needed(row, "provider_id"),
        organization=user,
        access_token=access,
        refresh_token=refresh,
        expires_at=instant(row, "provider_token_expires_at", "provider_expires_at"),
        granted_scopes=scopes(first(row, "provider_scopes", "scopes")),
        metadata=_of_user(user),
    )


def _supabase_provider(row: Row) -> str:
    metadata = table(table(row, "user"), "app_metadata")
    return text(row, "provider") or text(metadata, "provider") or needed(row, "provider")


def _of_user(user: str | None) -> Row:
    return {"user_id": user} if user else {}
