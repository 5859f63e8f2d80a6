"""Sends webhooks through `exchange.py`: a signed message in, a `Reply` out; a time-out is one too.

Of an answer's body only a little is read and thrown away, so that the connection can be used again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from refresher.outbound import sender as seam
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange, Outgoing
from refresher.outbound.sender import SenderName, SendLimits, Wire
from refresher.rules.connection import TOO_LARGE, UNSENT, Reply

K = TypeVar("K")
MOST_READ_BYTES = 16_384
READ_HEADERS = ("retry-after", "location")
WORDS = {
    UNSENT: "not sent: this process is stopping",
    seam.CANCELLED: "cut off: this process was stopping",
    seam.CONNECT: "no connection: name, route or TLS",
    seam.CONNECT_TIMEOUT: "no connection in time",
    seam.PROTOCOL: "the connection broke",
    seam.UNSENDABLE: "its URL cannot be used",
    seam.NO_SENDER: "not sent: this process cannot send; its log tells why",
}


@dataclass(frozen=True, slots=True)
class Message(Generic[K]):
    """One attempt, and the caller's key for it."""

    key: K
    url: str
    headers: Mapping[str, str]
    body: bytes


class WebhookSender:
    """An exchange of its own: endpoints that hang take no place from token requests."""

    def __init__(
        self,
        egress: Egress,
        *,
        connect_seconds: float,
        total_seconds: float,
        max_in_flight: int,
        name: SenderName = "auto",
    ) -> None:
        self._total_seconds = total_seconds
        limits = SendLimits(
            connect_seconds,
            total_seconds,
            MOST_READ_BYTES,
            max_in_flight,
            user_agent="refresher-webhooks",
            read_headers=READ_HEADERS,
            is_body_needed=False,
        )
        self.exchange = Exchange(limits, name=name, egress=egress)
        self.close = self.exchange.close

    def stream(self, messages: Sequence[Message[K]]) -> Iterator[list[tuple[K, Reply]]]:
        """Sends all and yields their answers in groups, as they arrive: exactly one for each."""
        outgoing = [
            Outgoing(
                (message.key, message.url),
                Wire(None, message.url, message.headers, message.body),
                start_within_seconds=math.inf,
                whose=message.url,
            )
            for message in messages
        ]
        for group in self.exchange.stream(outgoing):
            yield [(key, self._answer(url, reply)) for (key, url), reply in group]

    def _answer(self, url: str, reply: Reply) -> Reply:
        """Returns a whole answer, or one that was cut off, as it is; of all else, why in words."""
        if reply.failure is None or reply.failure == TOO_LARGE:
            return reply
        return Reply(failure=self._words(url, reply.failure), elapsed_seconds=reply.elapsed_seconds)

    def _words(self, url: str, failure: str) -> str:
        if failure == seam.TIMEOUT:
            return f"no answer within {self._total_seconds:g} s"
        if failure == seam.FORBIDDEN:
            host = urlsplit(url).hostname or ""
            return self.exchange.egress.refusal(host) or "its address is not allowed"
        return WORDS.get(failure, failure)
