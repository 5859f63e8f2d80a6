"""What one stranger may cost: bytes and lines of a head, time for it, connections, memory of them all.

A head is refused as soon as it is too large, also one that never ends. Who is slow is let go after ten
seconds, or sooner when somebody else needs the place: the connection that has waited longest for the
rest of a request is closed for a new one. So `/health` answers while hundreds of half requests stand.

Neither of uvicorn's parsers has a time limit for a head, and httptools none for its size. To a request
that is well this adds a handful of assignments: the token route must not feel it. The halves that
differ: `with_httptools.py` (used where it is installed) and `with_h11.py`.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

HEAD_BYTES = 65_536
HEADERS = 200
PIPELINED = 32
"""Requests that a client may send ahead of its answers on one connection."""
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
UNREAD_SECONDS = 30.0
"""How long an answer may lie there of which the client takes nothing."""
IDLE_SECONDS = 5
"""Between two requests on one connection."""
HELD_BYTES = 6 * 1024 * 1024
"""Of all requests that are not whole yet, together."""
MOST_CONNECTIONS, FEWEST_CONNECTIONS = 1_000, 16
TOO_LARGE, TOO_SLOW = 431, 408
REASONS = {
    TOO_LARGE: "Request Header Fields Too Large",
    TOO_SLOW: "Request Timeout",
}


class Guest(Protocol):
    """One connection, as far as its place among the others goes.

    `waiting_since` is when the request that is not whole yet began, or the place of one; None while a
    whole one is being answered. `held_bytes` are what has come of it.
    """

    waiting_since: float | None
    held_bytes: int

    def let_go(self) -> None:
        """Closes it at once."""

    def look(self, now: float) -> None:
        """Closes it when its client takes too long."""


class Crowd:
    """All connections of one server; belongs to its event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.now = monotonic()
        """The event loop's clock, as of the last look: once a second is fine enough for all limits."""
        self.held_bytes = 0
        self._guests: dict[Guest, None] = {}
        """In the order in which they came: of two that have waited equally long, the first goes."""

    def enter(self, guest: Guest) -> None:
        """Takes a connection in; where all places are taken, one that only waits loses its own."""
        self._guests[guest] = None
        if len(self._guests) > self.most:
            self._let_one_go()

    def leave(self, guest: Guest) -> None:
        """Forgets a connection, and what came of its request."""
        self._guests.pop(guest, None)
        self.release(guest)

    def hold(self, guest: Guest, more_bytes: int) -> None:
        """Notes that so much more came of a request that is not whole yet."""
        guest.held_bytes += more_bytes
        self.held_bytes += more_bytes
        if self.held_bytes > HELD_BYTES:
            # Not one of many that hold next to nothing: that would free nothing.
            self._let_one_go(holding=self.held_bytes // len(self._guests))

    def release(self, guest: Guest) -> None:
        """Notes that a request is whole."""
        self.held_bytes -= guest.held_bytes
        guest.held_bytes = 0

    def look(self, now: float) -> None:
        """Closes what takes too long."""
        self.now = now
        for guest in list(self._guests):
            guest.look(now)

    def _let_one_go(self, holding: int = 0) -> None:
        """Closes the one that has waited longest, of those that hold at least so many bytes."""
        waiting = [
            g for g in self._guests if g.waiting_since is not None and g.held_bytes >= holding
        ]
        oldest = min(waiting, key=_since, default=None)
        if oldest is not None:
            self.leave(oldest)
            oldest.let_go()


def connections_for(reserved: int) -> int:
    """Returns how many connections this process can afford, beside `reserved` files of its own.

    Half of the descriptors that are left: a stranger must not take those that Postgres needs.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    open_now = 32
    with suppress(OSError):
        open_now = sum(1 for _ in Path("/proc/self/fd").iterdir())
    if limit == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(FEWEST_CONNECTIONS, min(MOST_CONNECTIONS, (limit - open_now - reserved) // 2))


def has_large_head(headers: Iterable[tuple[bytes, bytes]], target: bytes) -> bool:
    """Whether request line and headers are more than `HEAD_BYTES` together."""
    return len(target) + sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_BYTES


def refusal(status: int) -> bytes:
    """Returns a whole answer that refuses a request, after which the connection ends."""
    reason = REASONS[status]
    head = f"HTTP/1.1 {status} {reason}\r\ncontent-type: text/plain; charset=utf-8\r\n"
    return f"{head}content-length: {len(reason)}\r\nconnection: close\r\n\r\n{reason}".encode()


def _since(guest: Guest) -> float:
    assert guest.waiting_since is not None
    return guest.waiting_since


LINGER_SECONDS = 2.0
"""How long a client that was refused may go on sending, so that it reads why and not of a reset."""
BODY_BYTES_A_SECOND = 16_384
"""A body may take a second more for each so many bytes that have come."""


class Cycle(Protocol):
    """Uvicorn's request that is being answered, as far as it is touched here."""

    disconnected: bool
    response_started: bool
    response_complete: bool
    message_event: asyncio.Event


class LimitedConnection(asyncio.Protocol):
    """What both have in common; stands before uvicorn's class in the order of bases."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    flow: FlowControl
    cycle: Cycle | None

    def __init__(self, *arguments: Any, crowd: Crowd, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.crowd = crowd
        self.waiting_since: float | None = None
        self.held_bytes = 0
        self.is_unfinished = False
        self.in_body = False
        self.is_refused = False
        self._unsent, self._unsent_since = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a place among the others."""
        super().connection_made(transport)
        self.waiting_since = self.crowd.now
        self.crowd.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Gives the place back."""
        self.crowd.leave(self)
        super().connection_lost(exc)

    @property
    def is_busy(self) -> bool:
        """Whether the request before is being answered still."""
        return self.is_answering and not self.in_body

    @property
    def is_answering(self) -> bool:
        """Whether a request is in the application's hands."""
        return self.cycle is not None and not self.cycle.response_complete

    def look(self, now: float) -> None:
        """Closes it when the rest of a request, or the taking of an answer, takes too long."""
        since = self.waiting_since
        if since is not None and not self.flow.read_paused:
            allowed = HEAD_SECONDS
            if self.in_body:
                allowed = BODY_SECONDS + self.held_bytes / BODY_BYTES_A_SECOND
            if now - since > allowed:
                self.refuse(TOO_SLOW)
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > UNREAD_SECONDS:
            self.let_go()

    def shutdown(self) -> None:
        """Called when the server stops: whoever was refused is not waited for."""
        if self.is_refused:
            self.transport.abort()
        else:
            super().shutdown()  # type: ignore[misc]  # uvicorn's class comes next

    def let_go(self) -> None:
        """Closes it at once."""
        self.waiting_since = None
        self._stop_reading()
        self.transport.abort()

    def refuse(self, status: int) -> None:
        """Tells why, where no answer has begun, and ends the connection soon."""
        if self.is_refused or self.transport.is_closing():
            return
        has_answer = self.in_body and self.cycle is not None and self.cycle.response_started
        is_told = self.is_unfinished and not self.is_busy and not has_answer
        self._stop_reading()
        if not is_told:
            self.transport.abort()
            return
        self.flow.resume_reading()
        self.transport.write(refusal(status))
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def forget(self) -> None:
        """Drops at once what came of a request: the end of a connection may be some way off."""

    def _stop_reading(self) -> None:
        """From here on what comes is thrown away, and the application sees a client that has gone."""
        self.is_refused = True
        self.crowd.release(self)
        self.forget()
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
