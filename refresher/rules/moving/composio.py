"""Reads a connected account of Composio, as its API tells it (v3.1; `state.val` has the tokens).

Facts: the types of @composio/client, and "Credential masking" of its documentation: by default a secret
is its first four characters and `...`, or REDACTED.
"""

from __future__ import annotations

import re

from refresher.errors import InvalidConnection
from refresher.rules.moving.theirs import Row, Theirs, instant, needed, scopes, table, text, token

_MASKED = re.compile(r".{0,4}\.\.\.|REDACTED")
_UNFINISHED = {"INITIALIZING", "INITIATED"}
_DEAD = {"FAILED", "EXPIRED", "REVOKED"}


def read(row: Row) -> Theirs:
    """Returns what a connected account is; raises `InvalidConnection`."""
    status, client = needed(row, "status"), table(row, "auth_config")
    if status in _UNFINISHED:
        raise InvalidConnection(f"its sign-in was never finished ({status})")
    if status in _DEAD:
        raise InvalidConnection(f"its grant is dead at Composio ({status}): connect it anew")
    state = table(row, "state")
    scheme, held = text(state, "authScheme", "auth_scheme"), table(state, "val")
    if scheme != "OAUTH2":
        raise InvalidConnection(
            f"its scheme is {scheme}: only OAuth 2 with a client of yours moves"
        )
    if client.get("is_composio_managed") is True:
        raise InvalidConnection(
            "Composio's own OAuth client got it, and a refresh token works only with the client that "
            "got it: connect it anew with an app of yours"
        )
    user = text(row, "user_id")
    return Theirs(
        provider=needed(table(row, "toolkit"), "slug"),
        external_id=needed(row, "id"),
        organization=user,
        access_token=_whole(held, "access_token"),
        refresh_token=_whole(held, "refresh_token"),
        expires_at=instant(held, "expires_at"),
        granted_scopes=scopes(held.get("scope")),
        client=text(client, "id"),
        places={k: v for k, v in held.items() if isinstance(v, str) and not k.endswith("token")},
        name=text(row, "alias", "word_id"),
        metadata={"user_id": user} if user else {},
    )


def _whole(held: Row, name: str) -> str | None:
    value = token(held, name)
    if value is not None and _MASKED.fullmatch(value):
        raise InvalidConnection(
            'its tokens are masked: turn "Mask Connected Account Secrets" off in the settings of the '
            "project at Composio, and read them again"
        )
    return value
