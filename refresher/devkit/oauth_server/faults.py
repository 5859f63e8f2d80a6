"""The faults that a test arms, and when each of them strikes."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pydantic import ConfigDict

from refresher.devkit.oauth_server.options import Dice, Mistake

AnsweredFault = Literal["status_500", "status_503", "status_429", "garbage", "redirect", "error"]
SilentFault = Literal["hang", "drop_before"]
CommittedFault = Literal[
    "drop_after_commit", "slow", "truncated", "huge", "extra_fields", "other_names"
]
CallbackFault = Literal[
    "state_dropped", "state_changed", "state_twice", "code_twice", "iss_dropped", "iss_changed"
]
FaultKind = Literal[AnsweredFault, SilentFault, CommittedFault, CallbackFault]
Place = Literal["code", "refresh", "authorize", "userinfo"]

# Faults that change no grant: whoever sees one of these may send the same refresh token again.
ANSWERED_KINDS = frozenset(get_args(AnsweredFault))
SILENT_KINDS = frozenset(get_args(SilentFault))
CALLBACK_KINDS = frozenset(get_args(CallbackFault))
_ASIDE_KINDS = ANSWERED_KINDS | {"hang", "slow"}
_TOKEN_PLACES = frozenset[Place](("code", "refresh"))

_MOST_MEGABYTES = 1024


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One fault and when it strikes: by chance, every Nth matching request, or the next `count`.

    `match` is a prefix of the external id; empty matches every request, unknown tokens too.
    `seconds` is how long `slow` waits, and how long `hang` holds before it drops the connection.
    `on` is where it strikes: at the token endpoint, codes and refreshes alike, unless it is named; an
    `error` on `authorize` is told in the callback. Kinds that spoil a callback strike nowhere else.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: FaultKind
    on: Place | None = None
    probability: float = 1.0
    every_nth: int | None = None
    count: int | None = None
    match: str = ""
    seconds: float = 30.0
    retry_after_seconds: float | None = None
    retry_after_style: Literal["seconds", "http_date"] = "seconds"
    megabytes: float = 1.0
    error: str = "invalid_grant"
    error_description: str = "injected fault"
    status: int = 400

    @property
    def places(self) -> frozenset[Place]:
        """Where it strikes."""
        if self.kind in CALLBACK_KINDS:
            return frozenset({"authorize"})
        return _TOKEN_PLACES if self.on is None else frozenset({self.on})

    def __post_init__(self) -> None:
        """Raises Mistake for a rule that can never strike or that contradicts itself."""
        is_aside = self.on in {"authorize", "userinfo"}
        if is_aside and self.kind not in _ASIDE_KINDS | CALLBACK_KINDS:
            raise Mistake(f"on: {self.kind} strikes at the token endpoint only")
        if self.kind in CALLBACK_KINDS and self.on not in {None, "authorize"}:
            raise Mistake(f"on: {self.kind} spoils a callback, so it strikes on authorize only")
        if not 0 <= self.probability <= 1:
            raise Mistake("probability must be between 0 and 1")
        if self.every_nth is not None and self.probability != 1.0:
            raise Mistake("probability and every_nth exclude each other; give one of them")
        if min(self.every_nth or 1, self.count or 1) < 1 or 0 in (self.every_nth, self.count):
            raise Mistake("every_nth and count must be 1 or more; leave them out for no limit")
        if self.seconds < 0 or (self.retry_after_seconds or 0) < 0:
            raise Mistake("seconds and retry_after_seconds must not be negative")
        if not 0 <= self.megabytes <= _MOST_MEGABYTES:
            raise Mistake(f"megabytes must be between 0 and {_MOST_MEGABYTES}")
        if not 200 <= self.status <= 599:
            raise Mistake("status must be an HTTP status between 200 and 599")


@dataclass(slots=True)
class ArmedRule:
    """A rule on the board with what it has done so far."""

    rule: FaultRule
    seen: int = 0
    struck: int = 0

    @property
    def is_used_up(self) -> bool:
        """Says whether the rule has struck its `count` times."""
        return self.rule.count is not None and self.struck >= self.rule.count

    def strikes(self, external_id: str | None, dice: Dice, place: Place) -> bool:
        """Says whether this request is hit, and counts it; used-up rules never strike."""
        if self.is_used_up or place not in self.rule.places:
            return False
        if not (external_id or "").startswith(self.rule.match):
            return False
        self.seen += 1
        every = self.rule.every_nth
        is_hit = self.seen % every == 0 if every else dice() < self.rule.probability
        self.struck += is_hit
        return is_hit


class FaultBoard:
    """The rules in force, in the order they were added; the first that strikes wins."""

    def __init__(self) -> None:
        """Starts with no rules: a provider that always answers."""
        self.armed: list[ArmedRule] = []

    def add(self, rule: FaultRule) -> None:
        """Puts a rule behind those already there."""
        self.armed.append(ArmedRule(rule))

    def clear(self) -> int:
        """Takes every rule off the board; returns how many there were."""
        cleared = len(self.armed)
        self.armed.clear()
        return cleared

    def pick(
        self, external_id: str | None, dice: Dice, place: Place = "refresh"
    ) -> FaultRule | None:
        """Returns the fault for one request, or None; each request asks once."""
        for armed in self.armed:
            if armed.strikes(external_id, dice, place):
                return armed.rule
        return None
