"""What a caller who asked for a token, or for a refresh, is handed: values that travel to applications.

They stand apart from the decisions (`serving.py`), so that the SDK loads nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from refresher.rules.connection import Secret


@dataclass(frozen=True, slots=True)
class Served:
    """A valid access token, and what is known about it.

    `stale`: it has less life left than was asked for, or its grant has ended; no refresh could be had,
    and `reason` (a code) and `detail` tell why. `expires_in_seconds` counts from the answer, in the
    database's clock; both are None when nobody tells the end. `scopes` are those granted, or asked
    for. `slot` names a token beside the main one. `kept_fields` came with the token (the provider's
    `keep_fields`); `repr` hides them, for one may be a secret (`id_token`). Where
    `old_access_token_survives` is False, the next refresh ends this token at once: keep none of it.
    """

    connection_id: UUID
    root_id: UUID
    access_token: Secret
    expires_at: datetime | None
    expires_in_seconds: float | None
    scopes: tuple[str, ...]
    credential_version: int
    stale: bool = False
    reason: str | None = None
    detail: str | None = None
    token_type: str = "Bearer"
    old_access_token_survives: bool = True
    slot: str | None = None
    kept_fields: Mapping[str, str | int | float | bool] = field(default_factory=dict, repr=False)

    def header(self) -> str:
        """Returns the value of an `Authorization` header, in the clear: `Bearer ya29…`."""
        return f"{self.token_type} {self.access_token.reveal()}"

    @property
    def fingerprint(self) -> str:
        """The name by which this token is reported as rejected."""
        return fingerprint(self.access_token)


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """How one refresh ended, as its event is called; `by_us` is false when another was at it."""

    outcome: str
    by_us: bool
    reason: str | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None


def fingerprint(token: Secret) -> str:
    """Returns the first 16 hexadecimal digits of a token's SHA-256: it names it, and tells nothing."""
    return sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:16]
