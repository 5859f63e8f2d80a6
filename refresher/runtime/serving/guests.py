"""Uvicorn's connections with the limits of `limits.py`, whichever parser reads them.

Neither parser has a time limit for a head, and httptools none for its size. To a request that is well
this adds a handful of assignments: the token route must not feel it. The halves that differ:
`with_httptools.py` (used where it is installed) and `with_h11.py`.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import Crowd, refusal

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
            allowed = limits.HEAD_SECONDS
            if self.in_body:
                allowed = limits.BODY_SECONDS + self.held_bytes / BODY_BYTES_A_SECOND
            if now - since > allowed:
                self.refuse(limits.TOO_SLOW)
        unsent = self.transport.get_write_buffer_size()
        if unsent == 0 or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > limits.UNREAD_SECONDS:
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
