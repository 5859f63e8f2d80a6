"""What the provider received and answered: totals, and a short trail of events per grant.

No tokens in the clear (fingerprints only), no decisions. Every request costs the same, however
long the provider runs: counters, one event, and the oldest event of that grant dropped.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from refresher.devkit.oauth_server.family import Issued, Reply

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
    events: list["Event"] = field(default_factory=list)


@dataclass(slots=True)
class Event:
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

    def begin(self, external_id: str | None, presented: str | None, now: float, kept: int) -> Event:
        """Notes a request that arrived; `presented` is the fingerprint of its token."""
        self.totals["requests"] += 1
        self.totals["requests_in_flight"] += 1
        self.in_flight_max = max(self.in_flight_max, self.totals["requests_in_flight"])
        self.rate.count(now)
        if external_id is None:
            return Event(now, presented, None)
        trail = self._trails.setdefault(external_id, Trail())
        event = Event(now, presented, trail)
        self._remember(trail, event, kept)
        return event

    def _remember(self, trail: Trail, event: Event, kept: int) -> None:
        if trail.in_flight:
            trail.overlapping += 1
            self.totals["overlapping_requests"] += 1
        trail.requests += 1
        trail.in_flight += 1
        trail.last_request_at = event.began_at
        trail.events.append(event)
        del trail.events[:-kept]

    def inject(self, event: Event, kind: str, *, instead_of_answer: bool) -> None:
        """Notes a fault; `instead_of_answer` where nothing was decided and no grant changed."""
        self.faults[kind] += 1
        event.fault = kind
        if instead_of_answer:
            event.outcome = "fault"

    def settle(self, event: Event, reply: Reply) -> None:
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

    def _settle_issued(self, event: Event, reply: Issued) -> None:
        event.outcome = "replayed" if reply.kind == "replayed" else "issued"
        event.reason = "" if reply.kind == "issued" else reply.kind
        event.generation, event.serial = reply.generation, reply.serial
        self.totals["issued"] += reply.kind != "replayed"
        self.totals["replayed_in_grace"] += reply.kind in ("replayed", "reissued")

    def end(self, event: Event, now: float, delivery: Delivery) -> None:
        """Notes how the answer left; a changed grant whose answer did not is a dropped answer."""
        event.ended_at, event.delivery = now, delivery
        self.totals["requests_in_flight"] -= 1
        if event.trail is not None:
            event.trail.in_flight -= 1
        if delivery != "answered" and event.outcome in ("issued", "replayed"):
            self.totals["dropped_answers"] += 1
