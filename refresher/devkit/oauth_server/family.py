"""The values of a grant: a family of tokens, how one of them stands, and what an answer holds.

No clock, no HTTP and no dice of its own. A family is everything issued since one consent; each
rotation spends a refresh token and moves the family one generation on. `grants.py` makes the moves.

    granted ──refresh──▶ generation n ──rotate──▶ n + 1    n is now spent: replayable in the grace,
       ▲                     │                             reuse afterwards (ignore, refuse, revoke)
       └── granted again ◀── dead ◀── reuse, consent withdrawn, token revoked
"""

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from refresher.devkit.oauth_server.options import Options

Dice = Callable[[], float]
Standing = Literal["newest", "in_grace", "spent", "ended", "dead"]
IssueKind = Literal["issued", "replayed", "reissued", "reuse_ignored"]


@dataclass(slots=True)
class Family:
    """Everything issued since one consent. `spent_at[n]` is when generation n was spent."""

    number: int
    external_id: str
    lifetime_seconds: float | None
    has_refresh_token: bool
    alive: bool = True
    ended_because: str = ""
    generation: int = 0
    serial: int = 0
    refreshes: int = 0
    access_issued_at: float = 0.0
    access_expires_at: float = 0.0
    refresh_expires_at: float | None = None
    spent_at: "array[float]" = field(default_factory=lambda: array("d"))
    revoked_serials: frozenset[int] = frozenset()

    def is_spent(self, generation: int) -> bool:
        """Says whether a refresh token of that generation was replaced in an earlier request."""
        return generation < self.generation

    def end(self, because: str) -> bool:
        """Kills every token of the family; returns False where it was dead already."""
        was_alive, self.alive = self.alive, False
        if was_alive:
            self.ended_because = because
        return was_alive


@dataclass(frozen=True, slots=True)
class Issued:
    """A good answer, and why it was given.

    "issued" is the ordinary case; "replayed" told the current pair once more within the grace;
    "reissued" gave a new pair within the grace; "reuse_ignored" gave one outside of it.
    """

    family: Family
    kind: IssueKind
    generation: int
    serial: int
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in_seconds: float
    refresh_token_expires_in_seconds: float | None
    presented_twice: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A bad answer: the OAuth error code to tell, and the reason the ledger remembers."""

    error: str
    reason: str
    presented_twice: bool = False
    family_revoked: bool = False


Reply = Issued | Refused


def standing(family: Family, generation: int, now: float, options: Options) -> Standing:
    """Returns how a refresh token of that generation stands at `now`.

    The grace counts from the moment a token was spent, up to but excluding its last instant, so
    that a grace of zero never replays.
    """
    if not family.alive:
        return "dead"
    if family.refresh_expires_at is not None and now >= family.refresh_expires_at:
        return "ended"
    if not family.is_spent(generation):
        return "newest"
    return "in_grace" if now < family.spent_at[generation] + options.grace_seconds else "spent"


def rotates(family: Family, options: Options, dice: Dice) -> bool:
    """Says whether this refresh replaces the refresh token."""
    if options.rotation == "sometimes":
        if options.rotation_every_nth is not None:
            return family.refreshes % options.rotation_every_nth == 0
        return dice() < options.rotation_probability
    return options.rotation == "always" and not options.omit_refresh_token
