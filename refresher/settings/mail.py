"""What the settings of mail must be: a transport has its URL, a sender its address, a link a place."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from email.headerregistry import Address
from email.utils import parseaddr
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from refresher.rules.url_template import (
    LOOPBACK,
    RECONNECT_WORDS,
    UNSUBSCRIBE_WORDS,
    template_fault,
)
from refresher.settings.names import variable

if TYPE_CHECKING:
    from refresher.settings import Settings

STARTTLS = ("required", "auto", "never")
STEPS = 6
"""How many answers of an SMTP server one mail may wait for."""


def mail_faults(s: Settings) -> Iterator[str]:
    """Yields one sentence for each setting of mail that is missing or wrong."""
    yield from _sender(s)
    if s.mail_transport == "smtp":
        yield from _smtp(s)
    if s.mail_transport == "http":
        yield from _http(s)
    if s.mail_templates is not None and not s.mail_templates.is_dir():
        yield f"{variable('mail_templates')} ({s.mail_templates}) is no folder"
    for field, words in (
        ("reconnect_url", RECONNECT_WORDS),
        ("mail_unsubscribe_url", UNSUBSCRIBE_WORDS),
    ):
        fault = template_fault(getattr(s, field) or "https://x", words)
        if fault:
            yield f"{variable(field)} {fault}"
    cover = STEPS * s.mail_timeout_seconds
    if cover > s.mail_lease_seconds:
        yield (
            f"{variable('mail_lease_seconds')} ({s.mail_lease_seconds:g}) must cover {STEPS} × "
            f"{variable('mail_timeout_seconds')} = {cover:g}, or a slow mail is sent twice"
        )


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


def _sender(s: Settings) -> Iterator[str]:
    name = variable("mail_from")
    try:
        address = sender_address(s.mail_from)
    except ValueError as error:
        yield f"{name} {error}"
        return
    if s.mail_transport == "console":
        return
    if "mail_from" not in s.model_fields_set:
        yield f"{name} is not set, and {variable('mail_transport')} ({s.mail_transport}) needs it"
    elif fault := address_fault(address.addr_spec):
        yield f"{name} {fault}"


def _smtp(s: Settings) -> Iterator[str]:
    name = variable("mail_smtp_url")
    if s.mail_smtp_url is None:
        yield f"{name} is not set, and {variable('mail_transport')} (smtp) needs it"
        return
    try:
        parts = urlsplit(s.mail_smtp_url.get_secret_value())
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield f"{name} is no URL: its host or port cannot be read"
        return
    if parts.scheme not in {"smtp", "smtps"} or not host:
        yield f"{name} must begin with smtp:// (STARTTLS) or smtps:// (TLS) and name a server"
        return
    query = parse_qs(parts.query, keep_blank_values=True)
    starttls = query.get("starttls", ["required"])[0]
    if set(query) - {"starttls"} or starttls not in STARTTLS:
        yield f"{name} knows one option, starttls={'|'.join(STARTTLS)}"
    elif (
        parts.password
        and parts.scheme == "smtp"
        and starttls != "required"
        and host not in LOOPBACK
    ):
        yield f"{name} has a password, which must not travel in the clear: starttls=required, or smtps://"


def _http(s: Settings) -> Iterator[str]:
    for field in ("mail_http_url", "mail_http_key"):
        if getattr(s, field) is None:
            yield f"{variable(field)} is not set, and {variable('mail_transport')} (http) needs it"
    if s.mail_http_url and (fault := template_fault(s.mail_http_url, ())):
        yield f"{variable('mail_http_url')} {fault}"
