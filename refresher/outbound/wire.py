"""Writes a `TokenRequest` as it goes over the wire: both senders send these bytes.

Done by the thread that asks, not by the one that sends for all: each microsecond of Python there costs
three, because the threads of the HTTP client wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote_plus, urlsplit, urlunsplit

import orjson

from refresher.rules.connection import value
from refresher.rules.providers import Body
from refresher.rules.requests import TokenRequest

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


@value
class Wire:
    """A request with its parameters in their place: in the body, or in the URL."""

    request: TokenRequest
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method


def write(request: TokenRequest) -> Wire:
    """Returns the request as it is sent; raises `ValueError` or `TypeError` for text without UTF-8."""
    match request.body:
        case Body.FORM:
            content = form(request.parameters).encode()
            return Wire(request, request.url, _typed(request, FORM), content)
        case Body.JSON:
            content = orjson.dumps(dict(request.parameters))
            return Wire(request, request.url, _typed(request, JSON), content)
        case Body.QUERY:
            return Wire(request, _with_query(request), request.headers)


def form(parameters: Mapping[str, str]) -> str:
    """Returns what `urllib.parse.urlencode` does, in a third of the time for the usual tokens."""
    return "&".join([f"{_quoted(name)}={_quoted(text)}" for name, text in parameters.items()])


def _typed(request: TokenRequest, content_type: str) -> Mapping[str, str]:
    """Returns the headers with the content's type, unless the catalogue entry names one."""
    if any(name.lower() == "content-type" for name in request.headers):
        return request.headers
    return {**request.headers, "Content-Type": content_type}


def _quoted(text: str) -> str:
    return text if _PLAIN(text) else quote_plus(text)


def _with_query(request: TokenRequest) -> str:
    """Returns the URL with the parameters behind those that it has."""
    parts = urlsplit(request.url)
    query = "&".join(part for part in (parts.query, form(request.parameters)) if part)
    return urlunsplit(parts._replace(query=query))
