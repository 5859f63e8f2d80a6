"""The seam between what is sent and how: every sender takes a `Message` and returns an outcome.

What a server answers is an outcome of `rules/mails.py`, never an exception. Nothing here knows the
database.
"""

from __future__ import annotations

import sys
import threading
from typing import Protocol, assert_never

from refresher.outbound.mail import Message, one_line
from refresher.rules.mails import Accepted, MailOutcome
from refresher.settings import Settings


class MailSender(Protocol):
    """Sends one mail at a time from each of several threads."""

    def send(self, message: Message) -> MailOutcome:
        """Returns what the server answered; never raises for what a server or a network does."""
        ...

    def close(self) -> None:
        """Gives connections back."""
        ...


def make_sender(settings: Settings) -> MailSender:
    """Returns the sender that REFRESHER_MAIL_TRANSPORT names; nothing is connected yet."""
    match settings.mail_transport:
        case "console":
            return ConsoleSender()
        case "smtp":
            from refresher.outbound.smtp import SmtpSender, server_from  # noqa: PLC0415  only what is used

            assert settings.mail_smtp_url is not None, "checked with the settings"
            url = settings.mail_smtp_url.get_secret_value()
            return SmtpSender(server_from(url), timeout_seconds=settings.mail_timeout_seconds)
        case "http":
            from refresher.outbound.mail_api import HttpSender  # noqa: PLC0415

            assert settings.mail_http_url is not None, "checked with the settings"
            assert settings.mail_http_key is not None, "checked with the settings"
            return HttpSender(
                settings.mail_http_url,
                settings.mail_http_key,
                timeout_seconds=settings.mail_timeout_seconds,
            )
        case _:
            assert_never(settings.mail_transport)


class ConsoleSender:
    """Writes each mail's headers and text to stderr, beside the log; the HTML part is left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def send(self, message: Message) -> MailOutcome:
        """Prints the mail in one piece, and always succeeds."""
        lines = [
            f"From: {message.sender}",
            f"To: {one_line(message.to)}",
            f"Subject: {one_line(message.subject)}",
            f"Message-ID: {message.message_id}",
            *(f"{name}: {value}" for name, value in message.headers),
            "",
            *_visible(message.text).rstrip().splitlines(),
        ]
        with self._lock:
            sys.stderr.write("\n".join(f"mail │ {line}".rstrip() for line in lines) + "\n")
            sys.stderr.flush()
        return Accepted()

    def close(self) -> None:
        """Has nothing to close."""


def _visible(text: str) -> str:
    """Returns the text without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
