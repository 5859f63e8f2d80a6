"""One connection that is read by h11, which limits the bytes of a head itself."""

from __future__ import annotations

import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from refresher.runtime.serving import limits
from refresher.runtime.serving.limits import LimitedConnection


class LimitedH11(LimitedConnection, H11Protocol):  # type: ignore[misc]  # Cycle, by form
    """Follows h11's state: it calls nobody back."""

    def data_received(self, data: bytes) -> None:
        """Feeds h11, then judges what is not whole yet."""
        if self.is_refused:
            return
        super().data_received(data)
        self._judge(len(data))

    def _judge(self, came: int) -> None:
        if self.is_refused or self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE:
            self._wait_for(bool(self.conn.trailing_data[0]), came)
        elif self._is_too_large(came):
            self.in_body = self.is_unfinished = True  # its answer has not begun
            self.refuse(limits.TOO_LARGE)
        elif self.conn.their_state is h11.SEND_BODY:
            if not self.in_body:
                self.waiting_since = self.crowd.now
            self.in_body = self.is_unfinished = True
            self.crowd.hold(self, came)
        else:
            self.in_body = self.is_unfinished = False
            self.waiting_since = None if self.is_answering else self.crowd.now
            self.crowd.release(self)

    def _is_too_large(self, came: int) -> bool:
        """Whether a whole head is; h11 itself looks at those that are not whole."""
        if self.in_body or not self.headers:
            return False
        if len(self.headers) > limits.HEADERS:
            return True
        target = self.scope["raw_path"] + self.scope["query_string"]
        may_be = self.held_bytes + came > limits.HEAD_BYTES
        return may_be and limits.has_large_head(self.headers, target)

    def _wait_for(self, has_begun: bool, came: int) -> None:  # noqa: FBT001  called in one place
        """Waits for a head, of which something may be here."""
        if has_begun and not self.is_unfinished:
            self.waiting_since = self.crowd.now
        self.in_body, self.is_unfinished = False, has_begun
        if has_begun:
            self.crowd.hold(self, came)

    def send_400_response(self, msg: str) -> None:
        """Refuses what h11 could not take: a head that is too large, or one that is none."""
        if getattr(sys.exception(), "error_status_hint", 400) == limits.TOO_LARGE:
            self.is_unfinished = True
            self.refuse(limits.TOO_LARGE)
        else:
            super().send_400_response(msg)

    def on_response_complete(self) -> None:
        """An answer has gone out: the next request is waited for, if it is not here already."""
        self.waiting_since = self.crowd.now
        super().on_response_complete()
        self._judge(0)
