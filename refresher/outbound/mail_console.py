"""Prints mails instead of sending them: for development, where one wants to see them."""

from __future__ import annotations

import sys
import threading

from refresher.outbound.mail import Message, one_line
from refresher.rules.mails import Outcome, Sent


class ConsoleSender:
    """Writes each mail's headers and text to stderr, beside the log; the HTML part is left out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def send(self, message: Message) -> Outcome:
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
        return Sent()

    def close(self) -> None:
        """Has nothing to close."""


def _visible(text: str) -> str:
    """Returns the text without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
