"""Which sender a process has, and the event loop that it runs on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import structlog

from refresher.errors import SettingsError
from refresher.outbound.egress import NAME_LOOKUPS, Egress
from refresher.outbound.sender import Sender, SenderName, SenderUnusable, SendLimits, Watcher
from refresher.rules.proving import ClientCertificate

log = structlog.get_logger()


def is_fast(name: SenderName) -> bool:
    """Whether `name` means pyreqwest here; raises `SettingsError` when it is asked for and missing."""
    installed = find_spec("pyreqwest") is not None
    if name == "pyreqwest" and not installed:
        raise SettingsError(
            "REFRESHER_SENDER is pyreqwest, which is not installed (it comes with refresher where it "
            "has a wheel): pip install pyreqwest, or choose httpx"
        )
    return installed and name != "httpx"


def choose_sender(
    limits: SendLimits,
    egress: Egress,
    name: SenderName = "auto",
    watcher: Watcher | None = None,
    certificate: ClientCertificate | None = None,
) -> Sender:
    """Returns the sender for this process: pyreqwest where it is installed, otherwise httpx.

    It shows `certificate` to servers that ask for one. Imported here and not above, after any fork: a
    Rust runtime does not survive one. Raises `SettingsError` when the environment's proxies or
    certificates cannot be used, and `ValueError` when `certificate` cannot.
    """
    if is_fast(name):
        from refresher.outbound.pyreqwest_sender import PyreqwestSender  # noqa: PLC0415  optional

        try:
            return PyreqwestSender(limits, egress, certificate)
        except SenderUnusable as error:
            if name == "pyreqwest":
                raise SettingsError(f"REFRESHER_SENDER is pyreqwest, and {error}") from None
            log.warning("sending with httpx, which is slower", why=str(error))
    from refresher.outbound.httpx_sender import HttpxSender  # noqa: PLC0415  where it sends

    return HttpxSender(limits, egress, watcher, certificate)


def new_loop(*, fast: bool) -> asyncio.AbstractEventLoop:
    """Returns uvloop's where it is installed, for pyreqwest only.

    httpx looks its proxies up through the loop, and uvloop has four threads for that.
    """
    if fast:
        try:
            import uvloop  # noqa: PLC0415  optional
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(NAME_LOOKUPS, thread_name_prefix="names"))
    return loop
