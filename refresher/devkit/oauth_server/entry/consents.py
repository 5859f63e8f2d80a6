"""Reads the requests of a consent as an entry says that they are made, to the letter.

Pure. What a browser brings to the authorize endpoint is told in RFC 6749's names, whatever the entry
calls them, so that what follows is the same at every provider.
"""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from refresher.devkit.oauth_server.consent.request import AuthorizeRequest
from refresher.devkit.oauth_server.decision import parameters
from refresher.devkit.oauth_server.entry.places import NotAsWritten
from refresher.devkit.oauth_server.entry.proof import read_assertions
from refresher.devkit.oauth_server.entry.request import Arrived, Reading, fields_of, renamed
from refresher.rules.consent import Consent
from refresher.rules.providers import BodyForm, ClientAuth, Provider

_TOKENS = ("{access_token}", "{refresh_token}")
_HEX = re.compile(r"[0-9a-f]{64}")
_CHALLENGE = {"code_challenge": "{code_challenge}", "code_challenge_method": "S256"}


def consent_of(entry: Provider) -> Consent:
    """Returns how a consent goes; only entries that have it are asked."""
    if entry.connect is None:
        raise NotAsWritten("the entry says nothing of a consent")
    return entry.connect


def read_authorize(entry: Provider, came: Arrived) -> AuthorizeRequest:
    """Returns what is asked at the authorize endpoint; raises `NotAsWritten`."""
    consent, url = consent_of(entry), entry.authorize_url or ""
    found, sent = Reading(entry, came), fields_of(came.query, "the query")
    found.place(url, came.method)
    names = {"client_id": "{client_id}", "redirect_uri": "{redirect_uri}"}
    expected = {**renamed(entry, names), "response_type": "code", "state": "{state}"}
    expected |= {} if entry.pkce == "no" else _CHALLENGE
    expected |= {"nonce": "{nonce}", consent.scope_parameter: "{scope}"}
    expected |= {consent.login_hint: "{login_hint}"} if consent.login_hint else {}
    again = {**entry.authorize_parameters, **consent.other_account}
    is_again = all(sent.get(name) == text for name, text in consent.other_account.items())
    expected |= fields_of(urlsplit(url).query, "the URL")
    expected |= again if is_again else dict(entry.authorize_parameters)
    of_session = set(consent.parameters) - expected.keys()
    found.query(expected, {name: text for name, text in sent.items() if name not in of_session})
    more = tuple((name, text) for name, text in sent.items() if name in of_session)
    return replace(_normal(entry, consent, found.values, sent), more=more)


def _normal(
    entry: Provider, consent: Consent, values: Mapping[str, str], sent: Mapping[str, str]
) -> AuthorizeRequest:
    scopes = values.get("scope", "").split(entry.scope_separator)
    if any(re.search(r"[\s,;]", scope) for scope in scopes):
        raise NotAsWritten(f"scopes are not separated by {entry.scope_separator!r}")
    told = {name: values[name] for name in ("client_id", "redirect_uri", "state")}
    told |= {"response_type": "code", "scope": " ".join(scopes)}
    told |= {name: values[name] for name in ("nonce", "login_hint") if name in values}
    told |= {name: sent[name] for name in ("prompt", "access_type") if name in sent}
    if "code_challenge" in values:
        challenge = _challenge(consent, values["code_challenge"])
        told |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return AuthorizeRequest(tuple(told.items()), values.get("host") or entry.default_host)


def _challenge(consent: Consent, text: str) -> str:
    """Returns a challenge in base64url, whatever the entry writes it in."""
    if consent.pkce_encoding == "base64url":
        return text
    if not _HEX.fullmatch(text):
        raise NotAsWritten("the code challenge is not in hex, and the entry says so")
    return base64.urlsafe_b64encode(bytes.fromhex(text)).rstrip(b"=").decode()


def brings_code(entry: Provider, came: Arrived) -> bool:
    """Says whether a token request is about a code."""
    name = entry.parameter_names.get("code", "code")
    return name in parameters(came.query, came.headers.get("content-type", ""), came.body)


def read_code(entry: Provider, came: Arrived) -> dict[str, str]:
    """Returns what a request with a code says, in RFC 6749's names; raises `NotAsWritten`."""
    consent = consent_of(entry)
    url = consent.code_url or entry.token_url
    found, how = Reading(entry, came), code_client_auth(entry)
    found.place(url, consent.code_method or entry.method)
    names = {"code": "{code}", "redirect_uri": "{redirect_uri}"}
    names |= {"grant_type": consent.code_grant_type} if consent.code_grant_type else {}
    names |= {} if entry.pkce == "no" else {"code_verifier": "{code_verifier}"}
    names |= {"client_id": "{client_id}"} if how is ClientAuth.NONE else {}
    expected = renamed(entry, {**names, **consent.code_parameters}) | found.client(how)
    found.parameters(url, consent.code_body or entry.body, expected, _tokenless(entry.query))
    found.headers(_tokenless(entry.headers), how)
    return found.values | read_assertions(entry, found.values)


def code_client_auth(entry: Provider) -> ClientAuth:
    """Returns how the app proves itself with a code."""
    return consent_of(entry).code_client_auth or entry.client_auth


def read_second_step(entry: Provider, came: Arrived) -> dict[str, str]:
    """Returns what a request says that makes a long-lived token of a short one."""
    step = consent_of(entry).second_step
    assert step is not None
    found = Reading(entry, came)
    found.place(step.url, step.method)
    names = {step.token_parameter: "{access_token}"}
    names |= {"grant_type": step.grant_type} if step.grant_type else {}
    form = BodyForm.QUERY if step.method == "GET" else BodyForm.FORM
    found.parameters(step.url, form, {**names, **step.parameters}, {})
    found.headers({}, ClientAuth.NONE)
    return found.values


def read_userinfo(entry: Provider, came: Arrived) -> str:
    """Returns the access token of a request that asks whose it is."""
    identity, url = consent_of(entry).identity, entry.userinfo_url or ""
    found = Reading(entry, came)
    found.place(url, identity.method)
    found.query(fields_of(urlsplit(url).query, "the URL"), fields_of(came.query, "the query"))
    headers = {**_tokenless(entry.headers), **identity.headers}
    if not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = "Bearer {access_token}"
    found.headers(headers, ClientAuth.NONE)
    body = None if identity.body is None else json.loads(identity.body)
    if (json.loads(came.body) if came.body else None) != body:
        raise NotAsWritten("the body is not that of the entry")
    return found.values["access_token"]


def _tokenless(table: Mapping[str, str]) -> dict[str, str]:
    """Returns a table without what needs a token: there is none yet."""
    return {name: text for name, text in table.items() if not any(t in text for t in _TOKENS)}
