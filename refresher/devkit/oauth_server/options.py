"""How the provider behaves: its options, read from JSON or flags and checked."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError

from refresher.devkit.oauth_server.consent.options import ConsentOptions

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
class Options(ConsentOptions):
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
    ("code_lifetime_seconds", 0.001, _YEARS_100),
    ("code_token_lifetime_seconds", 0.001, _YEARS_100),
    ("refresh_token_lifetime_seconds", 0.001, _YEARS_100),
    ("grant_lifetime_seconds", 0.001, _YEARS_100),
    ("refresh_interval_seconds", 0, _YEARS_100),
    ("minimum_token_age_seconds", 0, _YEARS_100),
    ("latency_seconds", 0, 3600),
    ("error_status", 200, 599),
    ("events_kept", 1, 1000),
)
