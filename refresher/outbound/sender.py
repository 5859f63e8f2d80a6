"""The seam: what a sender is given and gives back, the limits it keeps, the names of failures.

No HTTP here: `httpx_sender.py` and `pyreqwest_sender.py` send the same bytes, and pass one set of
conformance tests (`tests/outbound/`). `exchange.py` runs them. A request is written by the thread that
asks, not by the one that sends for all: each microsecond of Python there costs three, because the
threads of the HTTP client wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol
from urllib.parse import quote_plus, urlsplit, urlunsplit

import orjson

from refresher.rules.connection import TOO_LARGE, Reply, value
from refresher.rules.providers import BodyForm
from refresher.rules.proving import ClientCertificate
from refresher.rules.requests import TokenRequest

SenderName = Literal["auto", "httpx", "pyreqwest"]
IDLE_SECONDS = 30.0
"""How long a connection is kept for the next request; servers close theirs after 60 or 75."""

READ_HEADERS = ("retry-after", "content-type", "content-encoding")
"""Those that `rules/answers.py` reads: copying all of them would cost as much as reading the body."""
PLAIN = {"accept-encoding": "identity"}
"""Asked for with each request: what is packed all the same is unpacked by the rules, within bounds."""

CONNECT = "connect"
"""No connection: name, route, proxy, TLS. Nothing has left."""
CONNECT_TIMEOUT = "connect_timeout"
TIMEOUT = "timeout"
PROTOCOL = "protocol"
"""The connection broke, or what came over it is no whole HTTP answer. The request may have arrived."""
UNSENDABLE = "unsendable"
"""A URL or a header that no HTTP client can send. Nothing has left."""
FORBIDDEN = "forbidden_address"
"""The name leads where no request may go (`egress.py`). Nothing has left."""
CANCELLED = "cancelled"
NO_SENDER = "no_sender"

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


@dataclass(frozen=True, slots=True)
class SendLimits:
    """Time and size limits of one exchange, who it says that we are, and which headers a reply has.

    An answer of more than `max_bytes` is a failure without a status; it has one where the body does not
    count (`is_body_needed`).
    """

    connect_seconds: float = 5.0
    total_seconds: float = 20.0
    max_bytes: int = 1_048_576
    max_in_flight: int = 200
    user_agent: str = "refresher"
    read_headers: tuple[str, ...] = READ_HEADERS
    is_body_needed: bool = True

    def too_large(self, status: int, headers: Mapping[str, str]) -> Reply:
        """Returns the reply for an answer that is not read further."""
        return (
            Reply(failure=TOO_LARGE)
            if self.is_body_needed
            else Reply(status, headers, b"", TOO_LARGE)
        )


class Sender(Protocol):
    """Sends one request. Never raises for what the network or the provider does.

    Of an answer that breaks off, the reply has the status and what was read, beside the failure.
    """

    async def send(self, wire: Wire) -> Reply:
        """Returns the reply within the time limits."""

    async def close(self) -> None:
        """Closes the connections."""


class Watcher(Protocol):
    """Who may listen for a request that has left whole: tests that stop a process just then."""

    def installed(self) -> bool:
        """Whether somebody listens."""

    def reach(self, point: Literal["sent"]) -> None:
        """Tells that it has left."""


class SenderUnusable(Exception):
    """This sender cannot work on this machine; the other one may."""


@value
class Wire:
    """A request with its parameters in their place: in the body, or in the URL.

    `request` is what it was written from; None where that is nobody's token request.
    """

    request: TokenRequest | None
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    method: str = "POST"

    @property
    def place(self) -> str:
        """The URL without parameters: so much of it may be remembered."""
        return self.url if self.request is None else self.request.url

    @property
    def certificate(self) -> ClientCertificate | None:
        """What is shown to the server in the TLS handshake."""
        return None if self.request is None else self.request.certificate


def write(request: TokenRequest) -> Wire:
    """Returns the request as it is sent; raises `ValueError` or `TypeError` for text without UTF-8."""
    match request.body:
        case BodyForm.FORM:
            content = form(request.parameters).encode()
            return Wire(request, _url(request), _typed(request, FORM), content, request.method)
        case BodyForm.JSON:
            content = orjson.dumps(dict(request.parameters))
            return Wire(request, _url(request), _typed(request, JSON), content, request.method)
        case BodyForm.QUERY:
            url = _with_query(_url(request), request.parameters)
            return Wire(request, url, request.headers, None, request.method)


def form(parameters: Mapping[str, str]) -> str:
    """Returns what `urllib.parse.urlencode` does, in a third of the time for the usual tokens."""
    return "&".join([f"{_name(name)}={_quoted(text)}" for name, text in parameters.items()])


def _typed(request: TokenRequest, content_type: str) -> Mapping[str, str]:
    """Returns the headers with the content's type, unless the catalogue entry names one."""
    if any(name.lower() == "content-type" for name in request.headers):
        return request.headers
    return {**request.headers, "Content-Type": content_type}


def _quoted(text: str) -> str:
    return text if _PLAIN(text) else quote_plus(text)


_name = lru_cache(256)(_quoted)
"""The names of parameters are a handful; what stands behind them may be a secret, and is not kept."""


def _url(request: TokenRequest) -> str:
    return _with_query(request.url, request.query) if request.query else request.url


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    """Returns the URL with the parameters behind those that it has."""
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, form(parameters)) if part)
    return urlunsplit(parts._replace(query=query))
