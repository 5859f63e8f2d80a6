"""Builds what a consent needs: the URL that a person leaves for, and the requests that follow the code.

Pure: an entry and its `[connect]` in, a URL or a `TokenRequest` out. What comes back is read in
`accounts.py`. Sources: RFC 6749 section 4.1, RFC 7636, OpenID Connect Core 1.0 section 3.1.2.1.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import partial
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from refresher.rules.clients import ClientCredentials
from refresher.rules.connect import hashed, s256
from refresher.rules.connection import Secret, value
from refresher.rules.consent import Consent, SecondStep
from refresher.rules.fillings import SECRETS, Filling, Stamp
from refresher.rules.placeholders import UnbuildableRequest, brought, filled, named_in
from refresher.rules.providers import SIGNING_CLIENT, BodyForm, ClientAuth, Provider
from refresher.rules.proving import FillIn, certificate_of, proof
from refresher.rules.requests import (
    TokenRequest,
    authenticate,
    checked_headers,
    renamed,
    resolve_url,
)

OPENID = "openid"
_JSON = {"Accept": "application/json"}


@value
class Party:
    """Whom a person is sent to: the entry, our app there, and what fills the entry's placeholders."""

    provider: Provider
    client: ClientCredentials
    host: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def consent(self) -> Consent:
        """How a consent is asked for; raises `UnbuildableRequest` where nobody can connect."""
        if self.provider.connect is None or self.provider.authorize_url is None:
            raise UnbuildableRequest(f"nobody can connect to {self.provider.name} here")
        return self.provider.connect

    def url(self, template: str) -> str:
        """Returns a URL of the entry with its placeholders filled in."""
        return resolve_url(self.provider, self._all[0], template, self._all[1])

    def fill_in(self, ours: Callable[[str], str | None]) -> FillIn:
        """Returns what fills values into a table of the entry; `ours` knows those that we bring."""
        host, placeholders = self._all
        return partial(filled, self.provider, host=host, placeholders=placeholders, ours=ours)

    def with_token(self, token: Secret) -> FillIn:
        """Returns the same, where `{access_token}` is this one."""
        tokens = {"access_token": token}
        return self.fill_in(Filling(self.provider.name, self.client, tokens, "", None).value)

    @property
    def _all(self) -> tuple[str | None, Mapping[str, str]]:
        return brought(self.provider, self.host, self.placeholders, self.client.placeholders)


@value
class Asking:
    """What one attempt asks for. `verifier` and `nonce` are drawn by the caller, 32 bytes each.

    `parameters` are those of the session; `hint` names the account that is wanted; `other_account`
    tells that another one came the last time.
    """

    redirect_uri: str
    state: Secret
    verifier: Secret
    nonce: Secret
    scopes: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    hint: str | None = None
    other_account: bool = False


@value
class Code:
    """A code that came, where it goes, and what is said with it: the attempt's own `redirect_uri`."""

    code: Secret
    url: str
    redirect_uri: str
    verifier: Secret | None


def uses_pkce(provider: Provider) -> bool:
    """Whether a challenge is sent: unless the entry says that it must not be (C2)."""
    return provider.pkce != "no"


def uses_nonce(provider: Provider, scopes: Sequence[str]) -> bool:
    """Whether an id_token may come, so that a nonce ties it to the attempt."""
    found_in = provider.connect.identity.found_in if provider.connect else ()
    return OPENID in scopes or "id_token" in found_in


def asked_scopes(
    provider: Provider, wanted: Sequence[str], stored: Sequence[str] = ()
) -> tuple[str, ...]:
    """Returns what is asked for, each once: the entry's own, those stored, those wanted (C22)."""
    own = (*provider.default_scopes, *(provider.connect.scopes if provider.connect else ()))
    return tuple(dict.fromkeys((*own, *stored, *wanted)))


def authorize_url(party: Party, asking: Asking) -> str:
    """Returns where a person is sent for the consent; raises `UnbuildableRequest`."""
    provider, consent = party.provider, party.consent
    _check_names(provider, consent, asking.parameters)
    extra = {
        **provider.authorize_parameters,
        **(consent.other_account if asking.other_account else {}),
    }
    parameters = {
        **party.fill_in(partial(_shown, party.client))(extra),
        **asking.parameters,
        "response_type": "code",
        **renamed(provider, {"client_id": party.client.client_id}),
        "redirect_uri": asking.redirect_uri,
        "state": asking.state.reveal(),
    }
    if asking.scopes:
        parameters[consent.scope_parameter] = provider.scope_separator.join(asking.scopes)
    if uses_pkce(provider):
        parameters["code_challenge"] = challenge(consent, asking.verifier)
        parameters["code_challenge_method"] = "S256"
    if uses_nonce(provider, asking.scopes):
        parameters["nonce"] = asking.nonce.reveal()
    if consent.login_hint and asking.hint:
        parameters[consent.login_hint] = asking.hint
    return _with_query(party.url(provider.authorize_url or ""), parameters)


def _check_names(provider: Provider, consent: Consent, given: Mapping[str, str]) -> None:
    strange = next((name for name in given if name not in consent.parameters), None)
    if strange is not None:
        raise UnbuildableRequest(
            f'{provider.name} takes no parameter "{strange[:64]}" for a consent: it takes '
            f"{', '.join(consent.parameters) or 'none'}"
        )


def _shown(client: ClientCredentials, name: str) -> str | None:
    """Returns what a table may name whose values a browser shows: never a secret."""
    if name in SECRETS:
        raise UnbuildableRequest(f"{{{name}}} is nothing for a URL that a person sees")
    return client.client_id if name == "client_id" else None


def challenge(consent: Consent, verifier: Secret) -> str:
    """Returns the code challenge (RFC 7636 section 4.2), or the same in hex where an entry says so."""
    told = verifier.reveal()
    return hashed(told).hex() if consent.pkce_encoding == "hex" else s256(told)


def code_url(party: Party) -> str:
    """Returns where the code of an attempt goes: it is written down before anybody leaves (C12)."""
    return party.url(party.consent.code_url or party.provider.token_url)


def code_request(party: Party, given: Code, draw: Callable[[], Stamp]) -> TokenRequest:
    """Returns the request that sends a code; raises `UnbuildableRequest`."""
    provider, consent, client = party.provider, party.consent, party.client
    parameters = {"code": given.code.reveal(), "redirect_uri": given.redirect_uri}
    if consent.code_grant_type:
        parameters["grant_type"] = consent.code_grant_type
    if given.verifier is not None and uses_pkce(provider):
        parameters["code_verifier"] = given.verifier.reveal()
    fill_in = party.fill_in(Filling(provider.name, client, {}, "", draw).value)
    headers = {**_JSON, **checked_headers(fill_in(_tokenless(provider.headers)))}
    how = consent.code_client_auth or provider.client_auth
    if how is ClientAuth.NONE:
        parameters["client_id"] = client.client_id  # RFC 6749 section 4.1.3
    else:
        authenticate(provider, how, client, parameters, headers)
    if how in SIGNING_CLIENT:
        proof(provider, client, given.url, fill_in, draw).of_client(how, parameters)
    parameters |= fill_in(consent.code_parameters)
    return TokenRequest(
        consent.code_method or provider.method,
        given.url,
        headers,
        consent.code_body or provider.body,
        renamed(provider, parameters),
        certificate_of(provider, client),
        fill_in(_tokenless(provider.query)) or None,
    )


def _tokenless(table: Mapping[str, str]) -> Mapping[str, str]:
    """Returns a table without what names a token: there is none yet."""
    tokens = {"access_token", "refresh_token"}
    return {name: text for name, text in table.items() if not tokens & {*named_in([text])}}


def second_request(party: Party, step: SecondStep, token: Secret) -> TokenRequest:
    """Returns the request that makes a long-lived token of a short one; it may be repeated (C18)."""
    parameters = {step.token_parameter: token.reveal()}
    if step.grant_type:
        parameters["grant_type"] = step.grant_type
    parameters |= party.with_token(token)(step.parameters)
    body = BodyForm.QUERY if step.method == "GET" else BodyForm.FORM
    return TokenRequest(step.method, party.url(step.url), _JSON, body, parameters)


def userinfo_request(party: Party, token: Secret) -> TokenRequest:
    """Returns the request that asks whose a token is; raises `UnbuildableRequest`."""
    identity = party.consent.identity
    url = identity.url or party.provider.identity_url
    if url is None:
        raise UnbuildableRequest(f"no URL of {party.provider.name} tells whose a token is")
    told = {**_tokenless(party.provider.headers), **identity.headers}
    if not any(name.lower() == "authorization" for name in told):
        told["Authorization"] = "Bearer {access_token}"
    headers = {**_JSON, **checked_headers(party.with_token(token)(told))}
    if identity.body is None:
        return TokenRequest(identity.method, party.url(url), headers, BodyForm.QUERY, {})
    body: Mapping[str, str] = json.loads(identity.body)
    return TokenRequest("POST", party.url(url), headers, BodyForm.JSON, body)


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Returns the URL with the parameters behind those that it has; a space is `%20`."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(parameters, quote_via=quote)) if part)
    return urlunsplit(parts._replace(query=query))
