"""What the real store is compared with: a strict provider, and a model of the rows.

The model is the design in sixty lines: no SQL, no tokens but as texts, and time as a number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from tests.world import granted, refused

LIFETIME_SECONDS = 100.0
CRASH_LIMIT = 3
SEND_SECONDS = 20.0
LOST, UNSENT = "lost", "unsent"
"""In place of an answer: it was given and did not arrive; the lease was too short to ask."""


class StrictProvider:
    """Rotates at every refresh, and replays the newest pair within the grace.

    After that a spent refresh token is refused, and where `revokes` says so, it ends the family.
    """

    def __init__(self, grace_seconds: float, *, revokes: bool) -> None:
        self._grace, self._revokes = grace_seconds, revokes
        self._families: dict[str, tuple[int, int, bool]] = {}  # (family, generation, alive)
        self._spent_at: dict[str, float] = {}
        self.spent_presented: Counter[str] = Counter()

    def grant(self, name: str) -> str:
        """Consents anew; returns the refresh token, and ends what was granted before."""
        family = self._families.get(name, (0, 0, True))[0] + 1
        self._families[name] = (family, 0, True)
        return f"{name}.{family}.0"

    def revoke(self, name: str) -> None:
        """Withdraws the consent."""
        family, generation, _ = self._families[name]
        self._families[name] = (family, generation, False)

    def newest(self, name: str) -> str | None:
        """Returns the refresh token that is good now; None when the grant is dead."""
        family, generation, alive = self._families[name]
        return f"{name}.{family}.{generation}" if alive else None

    def present(self, token: str, now: float) -> str | None:
        """Returns the refresh token of the answer, None for invalid_grant."""
        name, of, number = token.split(".")
        family, generation, alive = self._families[name]
        if not alive or int(of) != family:
            return None
        if int(number) == generation:
            self._spent_at[token] = now
            self._families[name] = (family, generation + 1, True)
        elif now - self._spent_at[token] > self._grace:
            self.spent_presented[name] += 1
            if self._revokes:
                self.revoke(name)
            return None
        return self.newest(name)


@dataclass
class Row:
    """What must be true of one connection and its schedule row."""

    stored: str
    state: Literal["idle", "leased", "parked"] = "idle"
    lease: int = 0
    version: int = 1
    starts: int = 0
    unknown: int = 0
    begun: bool = False
    active: bool = True
    paused: bool = False
    holder: UUID | None = None
    lease_until: float = 0.0
    begun_at: float = 0.0
    reason: str | None = None
    quarantine: list[str] = field(default_factory=list)

    @property
    def is_set_aside(self) -> bool:
        """Whether the guard parks it when it is claimed."""
        return self.paused or not self.active

    def end_lease(self, state: Literal["idle", "parked"], reason: str | None = None) -> None:
        """Leaves the state "leased"."""
        self.state, self.reason, self.begun, self.holder = state, reason, False, None

    def sweep(self, now: float, dead: set[UUID], alive: set[UUID], limit_seconds: float) -> None:
        """Makes a stalled row due again, or parks it when it keeps stalling."""
        over = self.lease_until < now and (
            not self.begun or self.holder not in alive or self.begun_at < now - limit_seconds
        )
        if self.state != "leased" or not (over or self.holder in dead):
            return
        poison = self.begun and self.starts >= CRASH_LIMIT
        self.unknown += self.begun
        self.end_lease("parked" if poison else "idle", "crash_loop" if poison else None)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claim that passed the guard: the row as it was when the refresh was begun."""

    claim: Claim
    version: int
    unknown: int
    in_time: bool


def begin(row: Row, claim: Claim, now: float, worker: UUID) -> Attempt | None:
    """Steps 5 to 7; None for a stale claim and for what the guard parks."""
    if row.state != "leased" or row.lease != claim.lease_token or row.begun:
        return None
    if row.is_set_aside:
        row.starts = 0
        row.end_lease("parked", "paused" if row.paused else "reconnect_required")
        return None
    row.begun, row.begun_at, row.holder = True, now, worker
    row.starts += 1
    return Attempt(claim, row.version, row.unknown, row.lease_until - now > SEND_SECONDS)


def finish(row: Row, attempt: Attempt, answer: str | None) -> None:
    """Steps 9 to 11: `answer` is the new refresh token, None for invalid_grant, LOST or UNSENT."""
    held = row.state == "leased" and row.lease == attempt.claim.lease_token
    newer = row.version != attempt.version
    ends = answer is None and not newer and not row.quarantine
    if answer in {LOST, UNSENT}:
        row.unknown = attempt.unknown + (answer == LOST) if held else row.unknown
    elif ends:
        row.active = False
    elif answer is None and not newer:
        row.stored, row.version = row.quarantine.pop(), row.version + 1
    elif answer is not None and newer:
        row.quarantine.append(answer)
    elif answer is not None:
        row.stored, row.version, row.active = answer, row.version + 1, True
        row.quarantine.clear()
        row.unknown = 0 if held else row.unknown
    if held:
        row.starts = 0
        row.end_lease(*(("parked", "reconnect_required") if ends else ("idle", None)))
    elif row.reason == "reconnect_required" and row.active:
        row.end_lease("idle")  # the pair that came late is alive after all


def reply_for(answer: str | None) -> Reply:
    """Returns an answer as it comes over the wire."""
    if answer == LOST:
        return Reply(failure="timeout")
    if answer is None:
        return refused("invalid_grant")
    return granted(access_token=f"at-{answer}", refresh_token=answer, expires_in=LIFETIME_SECONDS)
