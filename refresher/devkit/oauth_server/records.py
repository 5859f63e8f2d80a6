"""What the admin routes take and give, as frozen values shared by the server and its client.

No behaviour. Instants are aware UTC in the provider's own clock, which `/admin/clock` can shift.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from pydantic import ConfigDict

from refresher.devkit.oauth_server.ledger import Delivery, Outcome
from refresher.devkit.oauth_server.reading import Mistake

MOST_GRANTS = 100_000


@dataclass(frozen=True, slots=True)
class GrantOrder:
    """Which grants to make: `count` new accounts, or the named `external_ids` (again, if known)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    count: int = 1
    prefix: str = "acct-"
    external_ids: list[str] | None = None
    lifetime_seconds: float | None = None
    expires_spread_seconds: tuple[float, float] | None = None
    seed: int | None = None
    with_refresh_token: bool = True

    def __post_init__(self) -> None:
        """Raises Mistake for an order that cannot be filled."""
        wanted = self.count if self.external_ids is None else len(self.external_ids)
        if not 0 <= wanted <= MOST_GRANTS:
            raise Mistake(f"count must be between 0 and {MOST_GRANTS} in one call")
        if self.lifetime_seconds is not None and self.lifetime_seconds <= 0:
            raise Mistake("lifetime_seconds must be more than 0")
        low, high = self.expires_spread_seconds or (0, 0)
        if low > high:
            raise Mistake("expires_spread_seconds must be [lowest, highest]")


@dataclass(frozen=True, slots=True)
class IssuedGrant:
    """A new grant's first tokens; `expires_in` is what is left of the access token."""

    external_id: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: float
    refresh_token_expires_in: float | None


@dataclass(frozen=True, slots=True)
class HeldTokens:
    """What the system under test has stored for one account; null tokens where it has none."""

    external_id: str
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """The referee's word on stored tokens.

    `is_owner` is false where a stored token belongs to another account or to none. Where no refresh
    token is stored, `refresh_usable` asks whether the access token can still be exchanged.
    `expired_for_seconds` is null for an access token the provider never issued.
    """

    external_id: str
    is_owner: bool
    family_alive: bool
    access_active: bool
    access_is_newest: bool
    refresh_usable: bool
    refresh_is_newest: bool
    expired_for_seconds: float | None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One token request of a grant; `presented` is the SHA-256 of the token it sent."""

    began_at: datetime
    ended_at: datetime | None
    presented: str | None
    outcome: Outcome
    reason: str
    fault: str | None
    generation: int | None
    serial: int | None
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """One account in the ledger: its newest tokens as SHA-256, and its last events.

    `generation` counts rotations and `serial` access tokens, both since the last consent.
    """

    external_id: str
    access_token_sha256: str
    refresh_token_sha256: str | None
    alive: bool
    ended_because: str
    generation: int
    serial: int
    access_expires_at: datetime
    requests: int
    in_flight: int
    presented_twice: int
    overlapping: int
    last_request_at: datetime | None
    events: list[EventRecord]


@dataclass(frozen=True, slots=True)
class Summary:
    """Totals since the provider started, over its token endpoints.

    `presented_twice` counts every refresh token that came again after an earlier request had spent
    it, `replayed_in_grace` those of them that were forgiven. `dropped_answers` changed a grant, but
    the answer was lost on the way. `overlapping_requests` began while another for the same account
    was under way.
    """

    requests: int
    requests_in_flight: int
    requests_in_flight_max: int
    issued: int
    refused: dict[str, int]
    presented_twice: int
    replayed_in_grace: int
    overlapping_requests: int
    families_revoked: int
    consents_withdrawn: int
    tokens_revoked: int
    dropped_answers: int
    resource_ok: int
    resource_refused: int
    faults: dict[str, int]
    requests_per_second: list[tuple[int, int]]
    grants: int
    grants_alive: int
