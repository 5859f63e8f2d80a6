"""One mail: addresses, headers, text and HTML.

The headers go through `email.message`, whose policy refuses a line break in any of them, so no stored
value can add a header. `Message-ID` is made from the mail's own id: a second try is the same mail.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from uuid import UUID

LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Message:
    """A mail that is ready to leave."""

    id: UUID
    sender: Address
    to: str
    subject: str
    text: str
    html: str
    date: datetime
    headers: tuple[tuple[str, str], ...] = field(default=())

    @property
    def message_id(self) -> str:
        """The same for every try (RFC 5322 section 3.6.4)."""
        return f"<{self.id}@{self.sender.domain or 'localhost'}>"


def one_line(text: str) -> str:
    """Returns a subject as one line without control characters."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:LONGEST_SUBJECT]


def as_email(message: Message) -> EmailMessage:
    """Returns the mail as it travels: multipart/alternative, text first (RFC 2046 section 5.1.4).

    Raises ValueError for an address that is none.
    """
    mail = EmailMessage(policy=SMTP)
    mail["From"] = message.sender
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = one_line(message.subject)
    mail["Date"] = message.date
    mail["Message-ID"] = message.message_id
    # RFC 3834: no out-of-office answer, please.
    mail["Auto-Submitted"] = "auto-generated"
    for name, value in message.headers:
        mail[name] = value
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail
