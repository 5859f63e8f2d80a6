"""What the provider received and answered, and the values in which its admin routes tell it.

No tokens in the clear (fingerprints only), no decisions. Every request costs the same, however
long the provider runs: counters, one event, and the oldest event of that grant dropped. Instants in
records are aware UTC in the provider's own clock, which `/admin/clock` can shift.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from refresher.devkit.oauth_server.options import Mistake
from refresher.devkit.oauth_server.tokens import Issued, Reply

Outcome = Literal["in_flight", "issued", "replayed", "refused", "fault"]
Delivery = Literal["in_flight", "answered", "dropped", "truncated", "client_gone"]

_SECONDS_KEPT = 600


@dataclass(slots=True)
class Trail:
    """What one grant's requests did, newest event last; it survives a new consent."""

    requests: int = 0
    in_flight: int = 0
    presented_twice: int = 0
    overlapping: int = 0
    last_request_at: float | None = None
    events: list["TokenCall"] = field(default_factory=list)


@dataclass(slots=True)
class TokenCall:
    """One token request, from arrival (`began_at`) to the end of its answer (`ended_at`)."""

    began_at: float
    presented: str | None
    trail: Trail | None
    outcome: Outcome = "in_flight"
    reason: str = ""
    fault: str | None = None
    generation: int | None = None
    serial: int | None = None
    ended_at: float | None = None
    delivery: Delivery = "in_flight"


class Rate:
    """Requests per second, for the last ten minutes that had any."""

    def __init__(self, seconds_kept: int = _SECONDS_KEPT) -> None:
        """Keeps at most `seconds_kept` buckets."""
        self._kept = seconds_kept
        self.buckets: dict[int, int] = {}

    def count(self, at: float) -> None:
        """Adds one request to its second; a new second pushes the oldest out."""
        second = int(at)
        if second not in self.buckets and len(self.buckets) >= self._kept:
            del self.buckets[next(iter(self.buckets))]
        self.buckets[second] = self.buckets.get(second, 0) + 1


class Ledger:
    """The referee's notes: `begin` a request, `inject` or `settle` it, `end` it."""

    def __init__(self) -> None:
        """Starts empty."""
        self.totals: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.rate = Rate()
        self.in_flight_max = 0
        self._trails: dict[str, Trail] = {}

    def trail(self, external_id: str) -> Trail:
        """Returns the trail of an account; empty where nothing was ever asked for it."""
        return self._trails.get(external_id) or Trail()

    def count(self, name: str) -> None:
        """Adds one to a total that belongs to no token request, such as resource calls."""
        self.totals[name] += 1

    def begin(
        self, external_id: str | None, presented: str | None, now: float, kept: int
    ) -> TokenCall:
        """Notes a request that arrived; `presented` is the fingerprint of its token."""
        self.totals["requests"] += 1
        self.totals["requests_in_flight"] += 1
        self.in_flight_max = max(self.in_flight_max, self.totals["requests_in_flight"])
        self.rate.count(now)
        if external_id is None:
            return TokenCall(now, presented, None)
        trail = self._trails.setdefault(external_id, Trail())
        event = TokenCall(now, presented, trail)
        self._remember(trail, event, kept)
        return event

    def _remember(self, trail: Trail, event: TokenCall, kept: int) -> None:
        if trail.in_flight:
            trail.overlapping += 1
            self.totals["overlapping_requests"] += 1
        trail.requests += 1
        trail.in_flight += 1
        trail.last_request_at = event.began_at
        trail.events.append(event)
        del trail.events[:-kept]

    def inject(self, event: TokenCall, kind: str, *, instead_of_answer: bool) -> None:
        """Notes a fault; `instead_of_answer` where nothing was decided and no grant changed."""
        self.faults[kind] += 1
        event.fault = kind
        if instead_of_answer:
            event.outcome = "fault"

    def settle(self, event: TokenCall, reply: Reply) -> None:
        """Notes what was decided, at the moment the grant changed."""
        if reply.presented_twice:
            self.totals["presented_twice"] += 1
            if event.trail is not None:
                event.trail.presented_twice += 1
        if isinstance(reply, Issued):
            self._settle_issued(event, reply)
            return
        event.outcome, event.reason = "refused", reply.reason
        self.refused[reply.error] += 1
        self.totals["families_revoked"] += reply.family_revoked

    def _settle_issued(self, event: TokenCall, reply: Issued) -> None:
        event.outcome = "replayed" if reply.kind == "replayed" else "issued"
        event.reason = "" if reply.kind == "issued" else reply.kind
        event.generation, event.serial = reply.generation, reply.serial
        self.totals["issued"] += reply.kind != "replayed"
        self.totals["replayed_in_grace"] += reply.kind in ("replayed", "reissued")

    def end(self, event: TokenCall, now: float, delivery: Delivery) -> None:
        """Notes how the answer left; a changed grant whose answer did not is a dropped answer."""
        event.ended_at, event.delivery = now, delivery
        self.totals["requests_in_flight"] -= 1
        if event.trail is not None:
            event.trail.in_flight -= 1
        if delivery != "answered" and event.outcome in ("issued", "replayed"):
            self.totals["dropped_answers"] += 1


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
    was under way. Of codes: how many were given, came back in whatever request, gave tokens, and came
    although they had come before.
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
    codes_given: int
    code_requests: int
    codes_exchanged: int
    codes_sent_twice: int
    consents_refused: int
    clients_registered: int
    userinfo_requests: int
    faults: dict[str, int]
    requests_per_second: list[tuple[int, int]]
    grants: int
    grants_alive: int
