"""Strategies that no entry's language says: plug-ins of other packages, pure like our own.

Tokens in, a request out; a reply in, an answer out. A plug-in neither sends nor reads a file, and has
no clock and no dice but those that it is given: the same `Given` makes the same request. Where a
request goes is the entry's business alone. How to write one: docs/providers.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from traceback import extract_tb
from typing import Literal, Protocol

from refresher.rules.connection import Reply, Secret
from refresher.rules.placeholders import UnbuildableRequest

Method = Literal["GET", "POST", "PUT"]
METHODS = ("GET", "POST", "PUT")


@dataclass(frozen=True, slots=True)
class Given:
    """What a request may be made of. Secrets are `Secret`: `reveal()` has the text, a `repr` has not.

    `url` and `parameters` are the entry's, with the connection's values in them; its headers and its
    query are sent besides.
    `now_epoch_seconds` is the time (UTC), `nonce` a random text of this attempt.
    """

    provider: str
    url: str
    client_id: str | None
    client_secret: Secret | None
    access_token: Secret | None
    refresh_token: Secret | None
    scopes: tuple[str, ...]
    parameters: Mapping[str, str]
    now_epoch_seconds: float
    nonce: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """The request that a plug-in wants to be sent to `Given.url`, byte by byte."""

    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Method = "POST"


class Plugin(Protocol):
    """What an entry point of `refresher.strategies` is: such an object, or a class of such."""

    def request(self, given: Given) -> Wanted:
        """Returns the request; raises `UnbuildableRequest` with a sentence where one is missing."""

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, object] | None:
        """Returns what was answered under the standard's names; None to have it read as it came.

        `access_token`, `refresh_token`, `expires_in`, `scope`, `error`, `error_description`, and what
        else the entry's fields look for: RFC 6749 sections 5.1 and 5.2.
        """


class PluginFailed(Exception):
    """A plug-in raised, or returned what is none; names it, and never what it was given."""


def ask(name: str, plugin: Plugin, given: Given) -> Wanted:
    """Returns the request that a plug-in makes; raises `UnbuildableRequest`, naming it."""
    try:
        wanted: object = plugin.request(given)
    except UnbuildableRequest as error:
        raise UnbuildableRequest(f'the plug-in "{name}" makes no request: {error}') from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's code
        raise UnbuildableRequest(_raised(name, error)) from None
    if not isinstance(wanted, Wanted):
        kind = type(wanted).__name__
        raise UnbuildableRequest(f'the plug-in "{name}" returned {kind} instead of Wanted')
    fault = _fault(wanted)
    if fault:
        raise UnbuildableRequest(f'the plug-in "{name}" made no request that can be sent: {fault}')
    return wanted


def _fault(wanted: Wanted) -> str | None:
    """Returns what is wrong with a request, None for a good one: nobody checked its types yet."""
    method: object = wanted.method
    body: object = wanted.body
    if method not in METHODS:
        return f"its method is none of {', '.join(METHODS)}"
    if not (body is None or isinstance(body, bytes)):
        return "its body is not bytes"
    for what in ("headers", "query"):
        given = getattr(wanted, what)
        if not isinstance(given, Mapping) or not all(
            _fits(n) and _fits(v) for n, v in given.items()
        ):
            return f"its {what} have names or values that are not one line of text"
    return None


def _fits(text: object) -> bool:
    return isinstance(text, str) and text.isprintable()


def translated(name: str, plugin: Plugin, reply: Reply) -> Reply:
    """Returns the reply with the answer that a plug-in reads in it; raises `PluginFailed`.

    What broke off, or never came, is read as it is.
    """
    if reply.status is None or reply.failure is not None:
        return reply
    try:
        answer = plugin.answer(reply.status, reply.headers, reply.body)
        if answer is None:
            return reply
        body = json.dumps(dict(answer)).encode()
    except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's code
        raise PluginFailed(_raised(name, error)) from None
    headers = {n: v for n, v in reply.headers.items() if n.lower() == "retry-after"}
    return replace(reply, headers={**headers, "content-type": "application/json"}, body=body)


def _raised(name: str, error: BaseException) -> str:
    """Returns a sentence without the error's words, which may quote a token."""
    place = extract_tb(error.__traceback__)[-1]
    return (
        f'the plug-in "{name}" raised {type(error).__name__} in {place.name}, line {place.lineno}'
    )
