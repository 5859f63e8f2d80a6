"""Where a person may be sent back to after a consent (C10 of docs/consents.md). Pure.

A return URL is taken only where all before its query equals, as a text, an entry of the operator's list
or of the organization's: no prefix, no pattern, no other spelling. RFC 9700 section 4.11 is why.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlencode, urlsplit

from refresher.rules.addresses import LOOPBACK
from refresher.rules.connect import Finish

MOST_LENGTH = 2_000
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f\\\"'<>^`{|}]")
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""An application's own scheme: a domain in reverse; anybody could claim a word (RFC 8252 7.1)."""


def entry_fault(entry: str, origins: Collection[str] | None = None) -> str | None:
    """Returns what is wrong with an entry of a list, as the end of a sentence; None when it is good.

    `origins`: the operator's, which an organization's entry must be one of; None for the operator's
    own, which may name the scheme of an application instead.
    """
    if fault := _text_fault(entry):
        return fault
    if "?" in entry:
        return "must not have a query: any query is taken at the end"
    if origins is None and _OWN_SCHEME.fullmatch(urlsplit(entry).scheme):
        return None
    if why := _page_fault(entry):
        return why
    if origins is not None and origin(entry) not in origins:
        return "must be on an origin of REFRESHER_CONNECT_RETURN_URLS"
    return None


def list_fault(entries: Iterable[str], of_operator: Collection[str]) -> str | None:
    """Returns the first fault of an organization's list, as a sentence; None for a good one."""
    origins = origins_of(of_operator)
    faults = ((entry, entry_fault(entry, origins)) for entry in entries)
    return next((f"{entry} {why}" for entry, why in faults if why), None)


def _page_fault(entry: str) -> str | None:
    parts = urlsplit(entry)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        return "must begin with https:// and name a server"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        return "must begin with https://: a person's browser goes there"
    if not parts.path:
        return "must name a page, if only /: compared is all before the query"
    return None


def fault(
    url: str, finish: Finish, of_operator: Collection[str], of_organization: Collection[str] = ()
) -> str | None:
    """Returns why nobody is sent back to this URL, as the end of a sentence; None when it is taken."""
    if why := _text_fault(url):
        return why
    bare = url.partition("?")[0]
    # The operator may have taken back an origin since the organization's list was stored.
    known = origins_of(of_operator)
    own = {entry for entry in of_organization if entry_fault(entry, known) is None}
    if bare not in {*of_operator, *own}:
        return (
            "is none of REFRESHER_CONNECT_RETURN_URLS, nor of the organization's return_urls: all "
            "before the query must be the same"
        )
    is_web = urlsplit(bare).scheme in {"https", "http"}
    if not is_web and finish is not Finish.APPLICATION:
        return 'has a scheme of its own, which is taken with finish = "application" alone'
    return None


def origin(url: str) -> str:
    """Returns scheme, server and port, as they are written."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def origins_of(entries: Iterable[str]) -> frozenset[str]:
    """Returns the origins of the operator's entries, without those of applications' own schemes."""
    return frozenset(origin(e) for e in entries if urlsplit(e).scheme in {"https", "http"})


def with_answer(url: str, answer: Mapping[str, str]) -> str:
    """Returns the URL with what it tells the application behind its own query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(answer)}"


def _text_fault(url: str) -> str | None:
    if len(url) > MOST_LENGTH:
        return f"is longer than {MOST_LENGTH:,} characters"
    if not url.isascii() or _FORBIDDEN.search(url):
        return "holds a character that no URL may hold"
    if "#" in url:
        return "must not have a fragment"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is no URL"
    if "@" in parts.netloc or "%" in parts.netloc:
        return "must not have anything but a server's name between // and the path: no @, no %"
    return None
