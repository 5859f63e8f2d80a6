"""What an address that people give may be: a URL with words in braces, a recipient's or sender's mail.

Pure: nobody asks whether it exists. A template is a URL with words in braces, such as
`https://app.example/connections/{external_id}/reconnect`; what is filled in is percent-encoded, so that
no value can leave its place in the URL.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from email.headerregistry import Address
from email.utils import parseaddr
from urllib.parse import quote, urlsplit

RECONNECT_WORDS = ("external_id", "connection_id", "provider", "organization_id")
UNSUBSCRIBE_WORDS = ("recipient_id", "organization_id")
_WORD = re.compile(r"\{([^{}]*)\}")
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f\\\"'<>^`|]")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""How URLs name this very machine, to which plain http may go."""


def is_here(url: str) -> bool:
    """Whether a URL names this very machine."""
    try:
        return urlsplit(url).hostname in LOOPBACK
    except ValueError:
        return False


def template_fault(template: str, words: Collection[str]) -> str | None:
    """Returns what is wrong with a template, as the end of a sentence; None when it is good.

    https only (http to this very machine is for development), and a server's name without a word in
    it: a stored value must never decide where a link leads to.
    """
    if _FORBIDDEN.search(template) or not template.isascii():
        return "holds a character that no URL may hold"
    unknown = [word for word in _WORD.findall(template) if word not in words]
    if unknown:
        known = ", ".join(f"{{{word}}}" for word in words) or "no word in braces"
        return f"has {{{unknown[0]}}}, and knows {known}"
    bare = _WORD.sub("", template)
    if "{" in bare or "}" in bare:
        return "has a brace without its other half"
    return _place_fault(template)


def _place_fault(template: str) -> str | None:
    try:
        parts = urlsplit(template)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if parts.scheme not in {"https", "http"} or not host:
        return "must begin with https:// and name a server"
    if "@" in parts.netloc or "%" in parts.netloc:
        return "must not have anything but a server's name between // and the path: no @, no %"
    if parts.scheme == "http" and host not in LOOPBACK:
        return "must begin with https://, for people follow it"
    return "must not have a word in braces in the server's name" if "{" in parts.netloc else None


def fill(template: str, values: Mapping[str, object]) -> str:
    """Returns the URL with its words filled in; one that is not known becomes empty."""
    return _WORD.sub(lambda m: quote(str(values.get(m[1]) or ""), safe=""), template)


def address_fault(address: str) -> str | None:
    """Returns why this is no mail address, in the words of a sentence; None when it is one."""
    if any(ord(c) < 32 or ord(c) == 127 for c in address):
        return "holds a control character"
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415  not for each start

    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError as error:
        reason = str(error).rstrip(".")
        return f"is no mail address: {reason[:1].lower()}{reason[1:]}"
    return None


def domain_fault(address: str, domains: Collection[str]) -> str | None:
    """Returns why this address is not in one of the domains, None when it is or there are none.

    `*.example.com` stands for every domain below example.com, and not for that one.
    """
    domain = address.rpartition("@")[2].lower()
    wild = {f"*.{domain[at + 1 :]}" for at, c in enumerate(domain) if c == "."}
    if not domains or {domain, *wild} & set(domains):
        return None
    return f"must be at {' or '.join(sorted(domains))} (REFRESHER_RECIPIENT_DOMAINS)"


def canonical(address: str) -> str:
    """Returns the address with its domain in small letters, as it is stored."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"


def sender_address(given: str) -> Address:
    """Returns `Name <address>` in its parts; raises ValueError when it is nothing of the kind."""
    if any(ord(c) < 32 or ord(c) == 127 for c in given):
        raise ValueError("holds a control character")
    name, spec = parseaddr(given)
    if not spec or "@" not in spec:
        raise ValueError("must be an address, or: Name <address>")
    return Address(display_name=name, addr_spec=spec)
