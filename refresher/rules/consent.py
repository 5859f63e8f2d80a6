"""What an entry says of a person's consent: `[connect]`, beside the facts that serve it (`facts.py`).

An entry without it cannot connect. Fields whose meaning begins with "as for a refresh" take the entry's
own value where they are silent. What is asked for and read with them: `authorize.py`, `accounts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from refresher.rules.kinds import MINTED, BodyForm, ClientAuth, Strategy

if TYPE_CHECKING:  # only who checks a table pays for pydantic
    from refresher.rules.field_types import (
        AccountPaths,
        Day,
        IdentityPart,
        NameOrPath,
        Names,
        Places,
        SecondStepPart,
        SomeText,
        Steps,
        Switch,
        Texts,
        Ways,
    )
    from refresher.rules.providers import Provider

Place = Literal["id_token", "answer", "callback", "userinfo"]
"""Where an account may be told: a claim, a field of the code's answer, of the callback, of userinfo."""


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How it is told which account consented; never by an address, which moves and is shared."""

    found_in: Places
    """`id_token`, `answer`, `callback` or `userinfo`; or several in order: the first that tells it"""
    paths: AccountPaths
    """the way to the account's id, or to each part of one: `["tid", "oid"]` are joined by `/`"""
    label_path: NameOrPath = ()
    """the way to what people call the account"""
    url: SomeText | None = None
    """where userinfo is asked; absent: `identity_url` of the entry"""
    method: Literal["GET", "POST"] = "GET"
    """that request's"""
    headers: Names = field(default_factory=_nothing)
    """its headers besides; one called `Authorization` stands in the place of `Bearer {access_token}`"""
    body: SomeText | None = None
    """its body, as JSON, with `method = "POST"`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondStep:
    """The request that makes a long-lived token of a short one: all that it sends is said here."""

    url: SomeText
    """where it goes"""
    method: Literal["GET", "POST"] = "POST"
    """with `GET` everything stands in the URL"""
    grant_type: SomeText | None = None
    """its grant type, such as `fb_exchange_token`"""
    token_parameter: SomeText = "access_token"
    """the parameter that holds the short-lived token"""
    parameters: Names = field(default_factory=_nothing)
    """what is sent besides: `{ client_secret = "{client_secret}" }`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """How a person's consent is asked for, the code exchanged, and the account told."""

    identity: IdentityPart
    """which account it was: `{ found_in = "userinfo", url = "https://…", paths = ["id"] }`"""
    scopes: tuple[SomeText, ...] = ()
    """asked for always, besides `default_scopes`: what tells the account"""
    scope_parameter: SomeText = "scope"
    """the parameter that holds the scopes"""
    answer_scope_separator: SomeText | None = None
    """what stands between two scopes in an answer, if not `scope_separator`"""
    scope_aliases: Texts = field(default_factory=_nothing)
    """scopes that answers call otherwise: what was asked for, and what is answered"""
    scope_words: Texts = field(default_factory=_nothing)
    """scopes in words for people: `{ "user:read" = "see your profile" }`"""
    parameters: tuple[SomeText, ...] = ()
    """the names of parameters that a session may add, such as Slack's `user_scope`"""
    other_account: Names = field(default_factory=_nothing)
    """what is asked with besides after a wrong account; wins over `authorize_parameters`"""
    login_hint: SomeText | None = None
    """the parameter that names the account that is wanted"""
    pkce_encoding: Literal["base64url", "hex"] = "base64url"
    """how the code challenge is written; RFC 7636 says the first"""
    code_url: SomeText | None = None
    """where the code goes, if not to `token_url`"""
    code_method: Literal["GET", "POST"] | None = None
    """as for a refresh: `method`"""
    code_body: BodyForm | None = None
    """as for a refresh: `body`"""
    code_client_auth: ClientAuth | None = None
    """as for a refresh: `client_auth`"""
    code_grant_type: str = "authorization_code"
    """the grant type; empty: none is sent"""
    code_parameters: Names = field(default_factory=_nothing)
    """what is sent with the code besides; `parameters` of the entry are a refresh's alone"""
    code_answer_path: Ways = ()
    """as for a refresh: `response_path`; or several ways, of which the first that finds one counts"""
    second_step: SecondStepPart | None = None
    """what makes a long-lived token of the one that the code brings"""
    refresh_token: Literal["always", "sometimes", "never"] = "always"
    """whether an answer brings one: where it should always, one without is a failure"""
    issuer: SomeText | None = None
    """`iss` of id_tokens and callbacks; `{tid}` stands for a claim; absent: `issuer` of the entry"""
    announces_iss: Switch = False
    """whether every callback has `iss` (RFC 9207)"""
    jwks_url: SomeText | None = None
    """the keys that sign its id_tokens"""
    keep_from_callback: tuple[SomeText, ...] = ()
    """fields of the callback that callers need beside the token, such as `realmId`"""
    callback_claims: Texts = field(default_factory=_nothing)
    """fields of the callback that an id_token must confirm by a claim: `{ realmId = "realmid" }`"""
    host_from_callback: SomeText | None = None
    """the field of the callback with the connection's host, or a URL on it: the code goes there"""
    host_from_answer: Steps = ()
    """the way to the connection's host, or a URL on it, in the code's answer"""
    callback_hmac: SomeText | None = None
    """the field of the callback that signs the others: HMAC-SHA256 by the client secret, in hex"""
    asks_host: Switch = False
    """whether a page may ask a person for the host"""
    redirect_rule: Literal["loopback_http", "https", "loopback_ip"] = "loopback_http"
    """the redirect URIs of apps: http on loopback too, https alone, or loopback by its address"""
    checked_on: Day | None = None
    """when these facts were held against the provider's documentation"""
    sources: tuple[SomeText, ...] = ()
    """links to it, and to others who connect to this provider"""
    unsure: tuple[SomeText, ...] = ()
    """fields, here or of the entry, that the documentation does not confirm"""


def why_not(provider: Provider) -> str | None:
    """Returns why nobody can connect to this provider by a consent, as a sentence; None: one can."""
    if provider.connect is not None:
        return None
    if provider.strategy in MINTED:
        return "Nobody is asked: the app alone has its tokens made."
    if provider.strategy is Strategy.PLUGIN:
        return "How its tokens are had is the business of a plug-in."
    if provider.authorize_url is None and not provider.is_looked_up:
        return "Its entry has no authorize_url, and no [connect]."
    return (
        "Its entry has no [connect], which says how the code is exchanged and the account is told."
    )
