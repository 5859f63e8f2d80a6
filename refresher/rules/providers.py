"""What we know of a provider: an entry of the catalogue, or of the user's file.

Each field is declared here once: its name, type, default and meaning. The catalogue checks tables
against the types, and docs/providers.md is made of the lines below the fields. How a request is built
from an entry: `requests.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from refresher.rules.kinds import (
    CERTIFIED,
    MINTED,
    SIGNING_CLIENT,
    SIGNING_GRANT,
    BodyForm,
    ClientAuth,
    Rotation,
    Strategy,
)
from refresher.rules.proofs import Proofs

if TYPE_CHECKING:  # only who checks a table pays for pydantic
    from refresher.rules.field_types import (
        AnswerNames,
        Codes,
        KeptNames,
        LifeSeconds,
        Names,
        PathsToSome,
        ReplayWait,
        RequestRate,
        Slots,
        SomeText,
        Statuses,
        Steps,
        Switch,
        Texts,
        WaitSeconds,
        Ways,
    )  # fmt: skip

__all__ = [
    "ACCESS_TOKEN_LIVES", "CERTIFIED", "MINTED", "REFRESH_TOKEN_LIVES", "SIGNING_CLIENT",
    "SIGNING_GRANT", "BodyForm", "ClientAuth", "LifeFormat", "Path", "Paths", "Provider", "Rotation",
    "Slot", "Strategy",
]  # fmt: skip
Path = tuple[str | int, ...]
"""The way to a field of an answer; a number steps into a list, from 0."""
Paths = Path | tuple[Path, ...]
"""One way, or several: the first that leads to something counts."""
LifeFormat = Literal[
    "auto", "seconds", "milliseconds", "minutes", "epoch", "epoch_milliseconds", "iso8601", "jwt"
]
"""How a life is told: a number from now, an instant, or a JWT's own `exp`; `auto` sees for itself."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_TOKEN: Mapping[str, str] = MappingProxyType({"token": "{token}"})
_NO_NAMES: Mapping[str, Path] = MappingProxyType({})
ACCESS_TOKEN_LIVES = (
    *("expires_in", "expires_in_sec", "expires_in_seconds", "expire_in"),
    *("access_token_expires_in", "access_token_expire_in", "expires_at", "expires_on", "expire_at"),
    *("access_token_expires_at", "access_token_expire_at"),
)
REFRESH_TOKEN_LIVES = (
    *("refresh_token_expires_in", "refresh_expires_in", "x_refresh_token_expires_in"),
    *("refresh_token_expire_in", "refresh_token_expires_at"),
)


@dataclass(frozen=True, slots=True)
class Slot:
    """A token beside the main one, and where it is. `where` picks it in a list by its fields."""

    path: Path
    where: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    refreshed: Literal["apart", "together"] = "apart"


_NO_SLOTS: Mapping[str, Slot] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Provider(Proofs):
    """A catalogue entry. Lifetimes are defaults in seconds: an answer's own figures always win.

    An entry of a list of error codes is a code (`bad_refresh_token`), or a code and how its description
    begins (`unauthorized_client: Old refresh token used`), which wins over the bare code: some
    providers say two things with one code.
    """

    name: str
    token_url: SomeText = ""
    """required, but with `issuer`: the token endpoint; https, no user, no fragment"""
    issuer: SomeText | None = None
    """who issues its tokens: without `token_url`, the endpoints are those of its metadata"""
    title: str = ""
    """the provider's name, for people"""
    strategy: Strategy = Strategy.REFRESH_TOKEN
    """how a fresh token is had: in `long_lived_exchange` the access token is the grant"""
    plugin: SomeText | None = None
    """the plug-in of `strategy = "plugin"`: an entry point of the group `refresher.strategies`"""
    refresh_url: SomeText | None = None
    """where tokens are refreshed, if that is another place"""
    host_pattern: SomeText | None = None
    """a regular expression of the hosts that a connection may have, where a URL has `{host}`"""
    default_host: SomeText | None = None
    """the host of a connection that names none"""
    host_example: SomeText | None = None
    """a host for the sentence that asks for one"""
    placeholders: Texts = field(default_factory=lambda: _NOTHING)
    """names and patterns of further placeholders, such as `{tenant}`"""
    default_placeholders: Names = field(default_factory=lambda: _NOTHING)
    """their values for connections and apps that bring none"""
    path_placeholders: tuple[SomeText, ...] = ()
    """those that may hold slashes: a base path, such as `{base}` in `https://{host}/{base}/token`"""
    max_requests_per_second: RequestRate | None = None
    """how many requests its token endpoint takes"""
    pause_scope: Literal["host", "provider"] = "host"
    """whom a 429 holds where a URL has placeholders: those of its host, or all"""
    client_auth: ClientAuth = ClientAuth.POST
    """how the app proves itself; `client_secret_post` and `client_secret_basic` are understood, too"""
    body: BodyForm = BodyForm.FORM
    """where the parameters travel"""
    method: Literal["GET", "POST"] = "POST"
    """the request's; `GET` needs `body = "query"`"""
    grant_type: SomeText | None = None
    """another value than the strategy's own"""
    token_parameter: SomeText | None = None
    """another name for the parameter that holds the token"""
    parameter_names: Texts = field(default_factory=lambda: _NOTHING)
    """where the standard names are others: `{ client_id = "client_key" }`"""
    parameters: Names = field(default_factory=lambda: _NOTHING)
    """what is sent besides; never a secret, but placeholders such as `{access_token}`"""
    headers: Names = field(default_factory=lambda: _NOTHING)
    """what is sent besides as headers: `{ Authorization = "Bearer {access_token}" }`"""
    query: Names = field(default_factory=lambda: _NOTHING)
    """what stands in the URL, beside a body; never a secret"""
    send_scope: Switch = False
    """sends the scopes that were asked for at registration, whatever was granted since"""
    scope_separator: SomeText = " "
    """what stands between two scopes"""
    send_client_id: Switch = True
    """`false`, with `client_auth = "none"`: nothing is said of the app at all"""
    revocation_url: SomeText | None = None
    """where a grant is given back (RFC 7009)"""
    revocation_method: Literal["POST", "GET", "DELETE", "PUT"] = "POST"
    """the request's; `GET` needs `revocation_body = "query"`"""
    revocation_body: BodyForm = BodyForm.FORM
    """where its parameters travel"""
    revocation_parameters: Names = field(default_factory=lambda: _TOKEN)
    """what is sent; `{token}` is the token that is given back"""
    revocation_headers: Names = field(default_factory=lambda: _NOTHING)
    """what is sent as headers besides those of each request"""
    revocation_client_auth: ClientAuth | None = None
    """how the app proves itself there, if otherwise; `none`: not at all"""
    revocation_token: Literal["refresh_token", "access_token"] = "refresh_token"
    """which token is given back; the access token, too, where there is no refresh token"""
    revocation_ends: Literal["grant", "account"] = "grant"
    """what ends by it: this grant, or every token of that account for our app"""
    response_path: Steps = ()
    """the way to the object that holds the tokens: `["data"]`; a number steps into a list"""
    answer_names: AnswerNames = field(default_factory=lambda: _NO_NAMES)
    """the provider's names for standard fields: `{ access_token = "accessToken", scope = "of" }`"""
    access_token_lifetime_fields: tuple[SomeText, ...] = ACCESS_TOKEN_LIVES
    """where an access token's life is told; the shortest counts"""
    access_token_lifetime_format: LifeFormat = "auto"
    """how it is told; `jwt`: by the token itself. What does not fit is read as `auto`"""
    refresh_token_lifetime_fields: tuple[SomeText, ...] = REFRESH_TOKEN_LIVES
    """the like for a refresh token"""
    refresh_token_lifetime_format: LifeFormat = "auto"
    """the like for a refresh token"""
    keep_fields: KeptNames = ()
    """fields of the answer that callers need beside the token: `["instance_url", "team.id"]`"""
    slots: Slots = field(default_factory=lambda: _NO_SLOTS)
    """further tokens of one connection: `{ user = { path = ["authed_user"] } }`"""
    error_path: PathsToSome = ("error",)
    """the way to an error's code, or a list of ways: the first that finds one counts"""
    error_detail_path: Ways = ("error_description",)
    """the like to its words"""
    status_errors: Texts = field(default_factory=lambda: _NOTHING)
    """what a status says where no code is found: `{ 401 = "invalid_grant" }`"""
    refusal_statuses: Statuses = frozenset()
    """statuses of 500 and more at which a code counts as with a 4xx"""
    dead_grant_errors: Codes = frozenset()
    """codes that end a grant with a 4xx, besides `invalid_grant`"""
    dead_grant_errors_at_any_status: Codes = frozenset()
    """the like, also with a 5xx or a 429; those that your own file lists in `dead_grant_errors`"""
    misconfigured_errors: Codes = frozenset()
    """codes that refuse the app"""
    retry_errors: Codes = frozenset()
    """exceptions that end and pause nothing, with their words: `"invalid_grant: AADSTS50196"`"""
    replay_after_seconds: ReplayWait = 0.0
    """how long a request that gave no answer is left to end before its token is presented again"""
    retry: Literal["always", "never"] = "always"
    """whether a request is made again that may have arrived, and got no answer"""
    success_without_error_codes: Codes = frozenset()
    """what looks like an error and says that all is well"""
    prolongs: Switch = False
    """whether a 2xx without a token and without an error prolongs the stored one"""
    rotation: Rotation = Rotation.SOMETIMES
    """whether a refresh spends the refresh token"""
    reuse_grace_seconds: WaitSeconds = 0.0
    """how long a spent one is taken once more"""
    reuse_grace_ends: Literal["time", "new_access_token_used", "new_refresh_token_used"] = "time"
    """what ends that sooner; with 0 seconds such an event alone does"""
    access_token_lifetime_seconds: LifeSeconds | None = None
    """an access token's life, where answers do not tell"""
    refresh_token_lifetime_seconds: LifeSeconds | None = None
    """a refresh token's, where answers do not tell"""
    refresh_token_clock: Literal["sliding", "fixed"] = "sliding"
    """whether that begins anew with each new one, or counts from consent"""
    refresh_token_absolute_seconds: LifeSeconds | None = None
    """a second end beside a sliding one: so long after consent, whatever is refreshed meanwhile"""
    refresh_token_absolute_fields: tuple[SomeText, ...] = ()
    """where answers tell that second end"""
    old_access_token_survives: Switch = True
    """whether a refresh leaves the access token before it good until its own end"""
    not_before_expiry_seconds: LifeSeconds | None = None
    """a token is refreshed no sooner than so long before its end"""
    min_token_age_seconds: WaitSeconds = 0.0
    """a token is refreshed no sooner than it is so old"""
    refresh_interval_seconds: WaitSeconds = 0.0
    """no two requests for one grant are nearer than so, whatever came of the first"""

    @property
    def known_as(self) -> str:
        """What people call it."""
        return self.title or self.name

    @property
    def is_looked_up(self) -> bool:
        """Whether its endpoints are not known yet: the issuer's metadata tells them."""
        return self.issuer is not None and not self.token_url

    @property
    def userinfo_url(self) -> str | None:
        """Where an access token says whose it is, for who learns an account."""
        told = self.connect.identity.url if self.connect else None
        return told or self.identity_url

    @property
    def needs_app(self) -> bool:
        """Whether a request carries the app's identity."""
        names_it = self.send_client_id and self.strategy is not Strategy.LONG_LIVED_EXCHANGE
        return self.client_auth is not ClientAuth.NONE or names_it or self.signs

    @property
    def signs(self) -> bool:
        """Whether a request carries an assertion."""
        return self.client_auth in SIGNING_CLIENT or self.strategy in SIGNING_GRANT

    @property
    def is_minted(self) -> bool:
        """Whether the app alone has a token made: no connection brings one, and none can be spent."""
        return self.strategy in MINTED
