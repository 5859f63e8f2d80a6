"""A new token pair with what came beside it, sealed, on its way to a connection's row."""

from __future__ import annotations

from refresher.rules.connection import Sealed, value


@value
class SealedLife:
    """A new pair as it is stored; `access_token` is None when only a refresh token was rescued.

    `scopes` are those granted, None when the answer did not tell: then the last ones told stay, and so
    do kept fields (JSON) that this answer lacks. `forgets_end`: the refresh token's end that is stored
    holds no more.
    """

    access_token: Sealed | None
    refresh_token: Sealed | None
    lifetime_seconds: float | None
    left_seconds: float | None
    refresh_token_left_seconds: float | None
    scopes: tuple[str, ...] | None
    kept_fields: str | None = None
    kept_secrets: Sealed | None = None
    forgets_end: bool = False
