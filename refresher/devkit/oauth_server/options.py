"""How the provider behaves: its options and its armed faults, read from JSON or flags and checked."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError

Dice = Callable[[], float]
T = TypeVar("T")


class Mistake(ValueError):
    """A caller's mistake, said in one sentence that names the field."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_as(kind: type[T], raw: object) -> T:
    """Returns `raw` as a `kind`; raises Mistake naming the first field that does not fit.

    Text is accepted where a number is meant ("20" is 20.0), so that command lines need no second
    set of rules.
    """
    try:
        return cast("T", _adapter(cast("Hashable", kind)).validate_python(raw))
    except ValidationError as error:
        raise Mistake(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "unexpected_keyword_argument":
        said = "there is no such setting; check its spelling"
    return f"{field}: {said}" if field else said


Rotation = Literal["none", "always", "sometimes"]
Reuse = Literal["ignore", "refuse", "revoke_family"]
ReplayMode = Literal["same", "new"]
RefreshTokenEnd = Literal["sliding", "fixed"]
ExpiresInStyle = Literal["number", "string", "zero", "missing", "absurd", "negative", "float"]
TokenStyle = Literal["opaque", "jwt"]
ResponseFormat = Literal["json", "form"]
GraceEnds = Literal["time", "new_access_token_used", "new_refresh_token_used"]
LongLivedErrors = Literal["meta", "oauth"]


@dataclass(frozen=True, slots=True)
class Options:
    """One provider's behaviour; unknown names and impossible values are refused in one sentence."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    client_id: Annotated[str, "the OAuth client's id"] = "fake-client"
    client_secret: Annotated[str, "the OAuth client's secret"] = field(
        default="fake-secret", repr=False
    )
    rotation: Annotated[Rotation, "does a refresh replace the refresh token"] = "always"
    rotation_every_nth: Annotated[
        int | None, "with rotation=sometimes: every Nth refresh of a grant rotates"
    ] = None
    rotation_probability: Annotated[
        float, "with rotation=sometimes and no rotation_every_nth: the chance of rotating"
    ] = 0.5
    reuse: Annotated[Reuse, "what a spent refresh token does outside the grace"] = "revoke_family"
    grace_seconds: Annotated[float, "how long a spent refresh token may be replayed"] = 0.0
    grace_ends: Annotated[
        GraceEnds, "what ends the grace sooner; with grace_seconds=0 such an event alone does"
    ] = "time"
    replay_mode: Annotated[
        ReplayMode, "what a replay within the grace returns: the current pair again, or a new one"
    ] = "same"
    lifetime_seconds: Annotated[float, "life of an access token"] = 3600.0
    refresh_token_lifetime_seconds: Annotated[
        float | None, "life of a refresh token, told as refresh_token_expires_in"
    ] = None
    refresh_token_end: Annotated[
        RefreshTokenEnd, "does each refresh extend the refresh token's life, or is its end fixed"
    ] = "sliding"
    grant_lifetime_seconds: Annotated[
        float | None, "life of a grant from consent on, however often it is refreshed"
    ] = None
    refresh_interval_seconds: Annotated[
        float, "no two requests for one grant may be nearer than so"
    ] = 0.0
    old_access_token_survives: Annotated[
        bool, "is the access token before the newest still good"
    ] = True
    prolongs: Annotated[bool, "answer a refresh without tokens: the access token lives longer"] = (
        False
    )
    minimum_token_age_seconds: Annotated[
        float, "a long-lived access token younger than this is not exchanged"
    ] = 0.0
    latency_seconds: Annotated[
        float, "time a token request takes, half before and half after the grant is changed"
    ] = 0.0
    expires_in_style: Annotated[ExpiresInStyle, "how expires_in is written"] = "number"
    access_token_style: Annotated[TokenStyle, "a jwt carries its own exp claim"] = "opaque"
    refresh_token_style: Annotated[
        TokenStyle, "a jwt carries its own exp claim, where its life is known"
    ] = "opaque"
    omit_refresh_token: Annotated[
        bool, "answer without a refresh token where the old one stays valid; stops rotation=always"
    ] = False
    response_format: Annotated[ResponseFormat, "format of token and error answers"] = "json"
    error_status: Annotated[
        int, "HTTP status of error answers; 200 for a provider that says errors with OK"
    ] = 400
    long_lived_errors: Annotated[
        LongLivedErrors, "errors of the long-lived exchanges: an object with code 190, or RFC 6749"
    ] = "meta"
    nested_under: Annotated[
        str | None, "wrap a JSON token answer in an object of this name, such as data"
    ] = None
    seed: Annotated[int, "seed of every chance the provider takes"] = 1
    events_kept: Annotated[int, "events remembered per grant"] = 8

    def __post_init__(self) -> None:
        """Raises Mistake for a value no provider can have."""
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                message = f"{name} must be between {low:,.10g} and {high:,.10g}, not {value:,.10g}"
                raise Mistake(message)

    def changed(self, patch: Mapping[str, object]) -> "Options":
        """Returns a copy with the given fields replaced, checked like a fresh one."""
        return read_as(Options, asdict(self) | dict(patch))

    def public(self) -> dict[str, Any]:
        """Returns every field but the secret, ready for JSON."""
        shown = asdict(self)
        del shown["client_secret"]
        return shown


_YEARS_100 = 100 * 365 * 86_400.0
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("rotation_every_nth", 1, 1_000_000),
    ("rotation_probability", 0, 1),
    ("grace_seconds", 0, _YEARS_100),
    ("lifetime_seconds", 0.001, _YEARS_100),
    ("refresh_token_lifetime_seconds", 0.001, _YEARS_100),
    ("grant_lifetime_seconds", 0.001, _YEARS_100),
    ("refresh_interval_seconds", 0, _YEARS_100),
    ("minimum_token_age_seconds", 0, _YEARS_100),
    ("latency_seconds", 0, 3600),
    ("error_status", 200, 599),
    ("events_kept", 1, 1000),
)


AnsweredFault = Literal["status_500", "status_503", "status_429", "garbage", "redirect", "error"]
SilentFault = Literal["hang", "drop_before"]
CommittedFault = Literal[
    "drop_after_commit", "slow", "truncated", "huge", "extra_fields", "other_names"
]
FaultKind = Literal[AnsweredFault, SilentFault, CommittedFault]

# Faults that change no grant: whoever sees one of these may send the same refresh token again.
ANSWERED_KINDS = frozenset(get_args(AnsweredFault))
SILENT_KINDS = frozenset(get_args(SilentFault))

_MOST_MEGABYTES = 1024


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One fault and when it strikes: by chance, every Nth matching request, or the next `count`.

    `match` is a prefix of the external id; empty matches every request, unknown tokens too.
    `seconds` is how long `slow` waits, and how long `hang` holds before it drops the connection.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    kind: FaultKind
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

    def __post_init__(self) -> None:
        """Raises Mistake for a rule that can never strike or that contradicts itself."""
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

    def strikes(self, external_id: str | None, dice: Dice) -> bool:
        """Says whether this request is hit, and counts it; used-up rules never strike."""
        if self.is_used_up or not (external_id or "").startswith(self.rule.match):
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

    def pick(self, external_id: str | None, dice: Dice) -> FaultRule | None:
        """Returns the fault for one request, or None; each request asks once."""
        for armed in self.armed:
            if armed.strikes(external_id, dice):
                return armed.rule
        return None
