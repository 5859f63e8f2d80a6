"""What a mail address may be, a recipient's or the sender's. Pure: nobody asks whether it exists."""

from __future__ import annotations

from collections.abc import Collection
from email.headerregistry import Address
from email.utils import parseaddr


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
