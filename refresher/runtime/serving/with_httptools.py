"""One connection that is read by httptools: quick, and without a limit of its own for heads."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base

from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import LimitedConnection


class TooLargeHead(Exception):
    """Raised to the parser, which ends the connection with what `refuse` has to say."""


class LimitedHttpTools(LimitedConnection, Base):  # type: ignore[misc]  # Cycle, by form
    """Counts what a head brings, and what comes between two words of the parser.

    Called for each request: so its base is called by name, and the clock is that of the crowd.
    """

    _is_too_large = False
    _is_whole = False
    _chunk = 0
    _unread = 0

    def data_received(self, data: bytes) -> None:
        """Feeds the parser, then judges what is not whole yet."""
        if self.is_refused:
            return
        self._chunk, self._is_whole = len(data), False
        self._unread += len(data)
        Base.data_received(self, data)
        if self.is_unfinished:
            self._judge(len(data))
        elif self.held_bytes:
            self.crowd.release(self)

    def _judge(self, came: int) -> None:
        """Holds a request that is not whole; refuses a head that is too large, whole or not."""
        if self.is_refused or self.transport.is_closing():
            return
        if not self._is_whole:  # else most of it may belong to the request before
            self.crowd.hold(self, came)
        # In a body the parser tells of each piece, but not of what stands between two chunks.
        if (self._unread if self.in_body else self.held_bytes) > limits.HEAD_BYTES:
            self.refuse(limits.TOO_LARGE)

    def forget(self) -> None:
        """Drops the parser, which holds an unfinished header, and the headers before it."""
        self.parser, self.headers = None, []  # type: ignore[assignment]  # as at the end

    def send_400_response(self, msg: str) -> None:
        """Refuses what the parser could not take."""
        if self._is_too_large:
            self.refuse(limits.TOO_LARGE)
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """From the first byte of a request its time runs."""
        Base.on_message_begin(self)
        self.is_unfinished = True
        if (cycle := self.cycle) is None or cycle.response_complete:
            self.waiting_since = self.crowd.now

    def on_headers_complete(self) -> None:
        """Hands a request to the application, unless its head is too large."""
        if (
            len(self.headers) > limits.HEADERS
            or len(self.pipeline) >= limits.PIPELINED
            or (
                self.held_bytes + self._chunk > limits.HEAD_BYTES
                and limits.has_large_head(self.headers, self.url)
            )
        ):
            self._is_too_large = True
            raise TooLargeHead
        Base.on_headers_complete(self)
        self.in_body, self._unread = True, 0

    def on_body(self, body: bytes) -> None:
        """Takes in a piece of a body."""
        self._unread = 0
        Base.on_body(self, body)

    def on_message_complete(self) -> None:
        """The whole request has come: its time is ours from here on."""
        Base.on_message_complete(self)
        self.in_body = self.is_unfinished = False
        self._is_whole = True
        assert self.cycle is not None, "made with the head"
        self.waiting_since = self.crowd.now if self.cycle.response_complete else None

    def on_response_complete(self) -> None:
        """An answer has gone out: the next request is waited for, if it is not here already."""
        is_next_here = bool(self.pipeline)
        Base.on_response_complete(self)
        if not is_next_here:
            self.waiting_since = self.crowd.now
