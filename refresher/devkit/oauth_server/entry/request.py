"""Reads a request as an entry says that it is made, to the letter: what differs is told in a sentence.

Pure. A request that lacks something is refused, and so is one that has something besides: real servers
forgive more, but none of them is as good a witness.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import orjson

from refresher.devkit.oauth_server.entry.places import NotAsWritten, at_place, read_template
from refresher.devkit.oauth_server.entry.proof import (
    JWT_BEARER,
    client_parameters,
    read_assertions,
)
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy

_FORM, _JSON = "application/x-www-form-urlencoded", "application/json"
_OPTIONAL = frozenset({"{scope}", "{client_secret}", "{nonce}", "{login_hint}"})
"""Scopes that nobody asked for are not sent; a public client has no secret."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came: `places` are the host and path that it may mean, headers in lower case."""

    method: str
    places: tuple[str, ...]
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read_refresh(entry: Provider, came: Arrived) -> dict[str, str]:
    """Returns what a request for a fresh token says: the value of each placeholder in it.

    The tokens stand under `refresh_token` and `access_token`, the app under `client_id` and
    `client_secret`. Raises `NotAsWritten`.
    """
    url = entry.refresh_url or entry.token_url
    found = Reading(entry, came)
    found.place(url, entry.method)
    names = _standard_names(entry, _grant(entry)) | found.client(entry.client_auth)
    found.parameters(url, entry.body, names | dict(entry.parameters), entry.query)
    app = {"Authorization": "Bearer {assertion}"} if _is_bearer(entry) else {}
    found.headers({**entry.headers, **app}, entry.client_auth)
    return found.values | read_assertions(entry, found.values)


def read_revocation(entry: Provider, came: Arrived) -> dict[str, str]:
    """Returns what a request says that gives a token back, which stands under `token`."""
    assert entry.revocation_url is not None
    found = Reading(entry, came)
    found.place(entry.revocation_url, entry.revocation_method)
    how = entry.revocation_client_auth or entry.client_auth
    names = {} if entry.revocation_client_auth is ClientAuth.NONE else found.client(how)
    names |= renamed(entry, entry.revocation_parameters)
    found.parameters(entry.revocation_url, entry.revocation_body, names, {})
    found.headers({**entry.headers, **entry.revocation_headers}, how)
    return found.values | read_assertions(entry, found.values)


def renamed(entry: Provider, parameters: Mapping[str, str]) -> dict[str, str]:
    """Returns parameters under the names that they have at this provider."""
    return {entry.parameter_names.get(name, name): text for name, text in parameters.items()}


def is_open(entry: Provider) -> bool:
    """Whether the token endpoint asks for no client besides the token, or the assertion."""
    unnamed = entry.strategy is not Strategy.REFRESH_TOKEN or not entry.send_client_id
    return entry.client_auth is ClientAuth.NONE and unnamed


def _is_bearer(entry: Provider) -> bool:
    return entry.strategy is Strategy.GITHUB_APP


NO_PLUGINS = "what a plug-in asks and reads is in no entry: check_strategy proves a plug-in"


def _grant(entry: Provider) -> dict[str, str]:
    match entry.strategy:
        case Strategy.REFRESH_TOKEN:
            sent = {entry.token_parameter or "refresh_token": "{refresh_token}"}
            return {"grant_type": entry.grant_type or "refresh_token"} | sent
        case Strategy.LONG_LIVED_EXCHANGE:
            sent = {entry.token_parameter or "access_token": "{access_token}"}
            return {"grant_type": entry.grant_type or ""} | sent
        case Strategy.CLIENT_CREDENTIALS:
            return {"grant_type": entry.grant_type or "client_credentials"}
        case Strategy.PLUGIN:
            raise ValueError(NO_PLUGINS)
        case Strategy.JWT_BEARER:
            return {"grant_type": entry.grant_type or JWT_BEARER, "assertion": "{assertion}"}
        case Strategy.GITHUB_APP:
            return {}


def _standard_names(entry: Provider, grant: Mapping[str, str]) -> dict[str, str]:
    scope = {"scope": "{scope}"} if entry.send_scope else {}
    return {
        entry.parameter_names.get(name, name): text for name, text in {**grant, **scope}.items()
    }


class Reading:
    """One request, read piece by piece; `values` fills up, and no value is told in two ways."""

    def __init__(self, entry: Provider, came: Arrived) -> None:
        self.values: dict[str, str] = {}
        self._entry = entry
        self._came = came

    def place(self, url: str, method: str) -> None:
        """Reads the URL without its query, and the method."""
        found = at_place(self._entry, url, self._came.places)
        if found is None:
            raise NotAsWritten(
                f"{self._came.places[0]} is not the place that the entry names: {url}"
            )
        self._add(found, "the URL")
        if self._came.method != method:
            raise NotAsWritten(f"the method is {self._came.method}, and the entry says {method}")

    def client(self, how: ClientAuth) -> dict[str, str]:
        """Reads HTTP Basic, or returns the parameters in which the app stands."""
        name_of = self._entry.parameter_names.get
        named = {name_of("client_id", "client_id"): "{client_id}"}
        match how:
            case ClientAuth.BASIC | ClientAuth.BASIC_RAW:
                self._add(_basic(self._came, how), "Authorization")
                return {}
            case ClientAuth.POST:
                return named | {name_of("client_secret", "client_secret"): "{client_secret}"}
            case (
                ClientAuth.CLIENT_SECRET_JWT | ClientAuth.PRIVATE_KEY_JWT | ClientAuth.SIGNED_SECRET
            ):
                return named | client_parameters(self._entry)
            case ClientAuth.TLS_CLIENT_AUTH | ClientAuth.SELF_SIGNED_TLS_CLIENT_AUTH:
                return named  # the certificate was judged in the handshake
            case ClientAuth.NONE:
                return {} if is_open(self._entry) else named

    def parameters(
        self, url: str, form: BodyForm, expected: Mapping[str, str], beside: Mapping[str, str]
    ) -> None:
        """Reads body and query: each must hold what is expected there, and nothing besides."""
        query, body = fields_of(urlsplit(url).query, "the URL") | dict(beside), dict(expected)
        if form is BodyForm.QUERY:
            query, body = query | body, {}
        self.query(query, fields_of(self._came.query, "the query"))
        if form is BodyForm.QUERY:
            if self._came.body:
                raise NotAsWritten("there is a body, and the entry puts all into the query")
            return
        self._read(body, _body(self._entry, self._came, form), form.value)

    def query(self, expected: Mapping[str, str], sent: Mapping[str, str]) -> None:
        """Reads parameters of the URL."""
        self._read(expected, sent, "query")

    def headers(self, expected: Mapping[str, str], how: ClientAuth) -> None:
        """Reads the entry's own headers, and what else a server looks at."""
        named = {name.lower(): text for name, text in expected.items()}
        for name, text in named.items():
            if name not in self._came.headers:
                raise NotAsWritten(f"the header {name} is missing")
            what = f"the header {name}"
            self._add(read_template(self._entry, text, self._came.headers[name], what), what)
        is_basic = how in {ClientAuth.BASIC, ClientAuth.BASIC_RAW}
        if "authorization" in self._came.headers and not is_basic and "authorization" not in named:
            raise NotAsWritten("there is an Authorization header that the entry does not ask for")
        if "accept" not in named and self._came.headers.get("accept") != _JSON:
            raise NotAsWritten(f"Accept must be {_JSON} where the entry names no other")

    def _read(self, expected: Mapping[str, str], sent: Mapping[str, str], where: str) -> None:
        for name, text in expected.items():
            if name in sent:
                what = f"{where} parameter {name}"
                self._add(read_template(self._entry, text, sent[name], what), what)
            elif text not in _OPTIONAL:
                raise NotAsWritten(f"{where} parameter {name} is missing")
        if strange := sorted(set(sent) - set(expected)):
            raise NotAsWritten(f"{where} parameter {strange[0]} is not in the entry")

    def _add(self, found: Mapping[str, str], where: str) -> None:
        pair = found.get("client_basic")
        own = {} if pair is None else _of_basic(pair, ClientAuth.BASIC_RAW)
        for name, value in {**found, **own}.items():
            if self.values.setdefault(name, value) != value:
                raise NotAsWritten(f"{where} has another value of {{{name}}} than stands elsewhere")


def _body(entry: Provider, came: Arrived, form: BodyForm) -> dict[str, str]:
    usual = _JSON if form is BodyForm.JSON else _FORM
    wanted = {name.lower(): text for name, text in entry.headers.items()}.get("content-type", usual)
    if came.headers.get("content-type") != wanted:
        raise NotAsWritten(f"Content-Type is {came.headers.get('content-type')}, not {wanted}")
    if form is BodyForm.FORM:
        return fields_of(came.body.decode(), "the body")
    parsed = orjson.loads(came.body)
    if not isinstance(parsed, dict) or not all(isinstance(v, str) for v in parsed.values()):
        raise NotAsWritten("the body is no JSON object of texts")
    return parsed


def fields_of(text: str, where: str) -> dict[str, str]:
    """Returns the parameters of a query or a form; raises `NotAsWritten` where one comes twice."""
    strict = bool(text) and where == "the body"  # a URL may say a word without a value
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=strict)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAsWritten(f"{where} has a parameter twice")
    return found


def _basic(came: Arrived, how: ClientAuth) -> dict[str, str]:
    scheme, _, encoded = came.headers.get("authorization", "").partition(" ")
    if scheme != "Basic":
        raise NotAsWritten("the Authorization header with HTTP Basic is missing")
    return _of_basic(encoded, how)


def _of_basic(encoded: str, how: ClientAuth) -> dict[str, str]:
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise NotAsWritten("what should be HTTP Basic is none") from None
    client_id, _, secret = pair.partition(":")
    if how is ClientAuth.BASIC:  # RFC 6749 section 2.3.1
        client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    return {"client_id": client_id, "client_secret": secret}
