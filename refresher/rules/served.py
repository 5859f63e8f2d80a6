"""What who asks on demand gets: a token, or how one refresh ended; and the name of a token."""

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

    `stale` means that it has less life left than was asked for, or that its grant has ended: it was
    not possible to refresh it, and `reason` (a code) and `detail` tell why. `expires_in_seconds` counts
    from the answer, in the database's clock; it is None with `expires_at` when nobody tells the end.
    `scopes` are those granted, or asked for where no answer told. `kept_fields` came with the token:
    the provider's `keep_fields`, such as Salesforce's `instance_url`; `repr` hides them, for one may be
    a secret (`id_token`).
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
    """How one refresh ended; `by_us` is false when another process was at it already.

    `outcome` is the kind of the event that was written, such as `refreshed` or `transient`.
    """

    outcome: str
    by_us: bool
    reason: str | None = None
    http_status: int | None = None
    elapsed_seconds: float | None = None


def fingerprint(token: Secret) -> str:
    """Returns the first 16 hexadecimal digits of a token's SHA-256: it names it, and tells nothing."""
    return sha256(token.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:16]
