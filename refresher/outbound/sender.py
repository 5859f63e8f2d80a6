"""The seam: what a sender is, the limits it keeps, the names of failures, and which one is chosen.

No HTTP here: `httpx_sender.py` and `pyreqwest_sender.py` send, and pass one set of conformance tests
(`tests/outbound/`). `__init__.py` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol

import structlog

from refresher.errors import SettingsError
from refresher.outbound.egress import Egress
from refresher.outbound.wire import Wire
from refresher.rules.outcomes import Reply

SenderName = Literal["auto", "httpx", "pyreqwest"]
USER_AGENT = "refresher"
IDLE_SECONDS = 30.0
"""How long a connection is kept for the next request; servers close theirs after 60 or 75."""

READ_HEADERS = ("retry-after", "content-type", "content-encoding")
"""The headers that a reply carries: those that `rules/answers.py` reads. Copying all of them would cost
as much as reading the body."""
PLAIN = {"accept-encoding": "identity"}
"""Asked for with each request: what is packed all the same is unpacked by the rules, within bounds."""

CONNECT = "connect"
"""No connection: name, route, proxy, TLS. Nothing has left."""
CONNECT_TIMEOUT = "connect_timeout"
TIMEOUT = "timeout"
TOO_LARGE = "too_large"
PROTOCOL = "protocol"
"""The connection broke, or what came over it is no whole HTTP answer. The request may have arrived."""
UNSENDABLE = "unsendable"
"""A URL or a header that no HTTP client can send. Nothing has left."""
FORBIDDEN = "forbidden_address"
"""The name leads where no request may go (`egress.py`). Nothing has left."""
CANCELLED = "cancelled"
NO_SENDER = "no_sender"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """Time and size limits of one exchange."""

    connect_seconds: float = 5.0
    total_seconds: float = 20.0
    max_bytes: int = 1_048_576
    max_in_flight: int = 200


class Sender(Protocol):
    """Sends one request. Never raises for what the network or the provider does.

    Of an answer that breaks off, the reply has the status and what was read, beside the failure.
    """

    async def send(self, wire: Wire) -> Reply:
        """Returns the reply within the time limits."""

    async def close(self) -> None:
        """Closes the connections."""


class Watcher(Protocol):
    """Who may listen for a request that has left whole: tests that stop a process just then."""

    def installed(self) -> bool:
        """Whether somebody listens."""

    def reach(self, point: Literal["sent"]) -> None:
        """Tells that it has left."""


class SenderUnusable(Exception):
    """This sender cannot work on this machine; the other one may."""


def is_fast(name: SenderName) -> bool:
    """Whether `name` means pyreqwest here; raises `SettingsError` when it is asked for and missing."""
    installed = find_spec("pyreqwest") is not None
    if name == "pyreqwest" and not installed:
        raise SettingsError(
            "REFRESHER_SENDER is pyreqwest, which is not installed: install refresher[fast], or "
            "choose httpx"
        )
    return installed and name != "httpx"


def choose_sender(
    limits: Limits, egress: Egress, name: SenderName = "auto", watcher: Watcher | None = None
) -> Sender:
    """Returns the sender for this process: pyreqwest where it is installed, otherwise httpx.

    Imported here and not above, after any fork: a Rust runtime does not survive one. Raises
    `SettingsError` when the environment's proxies or certificates cannot be used.
    """
    from refresher.outbound.httpx_sender import HttpxSender  # noqa: PLC0415  a slow import

    if not is_fast(name):
        return HttpxSender(limits, egress, watcher)
    from refresher.outbound.pyreqwest_sender import PyreqwestSender  # noqa: PLC0415  optional

    try:
        return PyreqwestSender(limits, egress)
    except SenderUnusable as error:
        if name == "pyreqwest":
            raise SettingsError(f"REFRESHER_SENDER is pyreqwest, and {error}") from None
        log.warning("sending with httpx, which is slower", why=str(error))
        return HttpxSender(limits, egress, watcher)
