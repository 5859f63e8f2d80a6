"""Senders that show a client certificate (RFC 8705): one for each, made at its first use.

A TLS client is told its certificate when it is built, which takes some 10 ms: so it is kept, and its
connections with it, for as long as no more than `MOST_KEPT` others were used since. Keys are kept by
those clients alone; what finds them here is a digest.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from refresher.errors import SettingsError
from refresher.outbound.sender import Sender, SenderUnusable, Wire
from refresher.rules.outcomes import Reply
from refresher.rules.proving import ClientCertificate

MOST_KEPT = 64
UNUSABLE = "client_certificate"
"""The app's certificate and key are none that TLS takes. Nothing has left."""


@dataclass(slots=True)
class _Kept:
    made: asyncio.Future[Sender]
    busy: int = 0


class CertifiedSenders:
    """Belongs to one event loop. `make` builds a sender, on another thread; it may raise."""

    def __init__(self, make: Callable[[ClientCertificate], Sender]) -> None:
        self._make = make
        self._kept: dict[bytes, _Kept] = {}

    async def send(self, certificate: ClientCertificate, wire: Wire) -> Reply:
        """Sends with the certificate shown to whoever asks for one."""
        key = sha256(certificate.pem()).digest()
        kept = self._kept.pop(key, None) or _Kept(self._building(certificate))
        self._kept[key] = kept  # the last one used stands last
        kept.busy += 1
        try:
            return await (await asyncio.shield(kept.made)).send(wire)
        except (ssl.SSLError, ValueError, SenderUnusable, SettingsError):
            self._kept.pop(key, None)
            return Reply(failure=UNUSABLE, sent=False)
        finally:
            kept.busy -= 1
            await self._forget()

    async def close(self) -> None:
        """Closes them all."""
        while self._kept:
            await self._close(next(iter(self._kept)))

    def _building(self, certificate: ClientCertificate) -> asyncio.Future[Sender]:
        return asyncio.ensure_future(asyncio.to_thread(self._make, certificate))

    async def _forget(self) -> None:
        """Closes those that were not used for the longest time, where there are too many."""
        idle = [key for key, kept in self._kept.items() if not kept.busy]
        for key in idle[: max(0, len(self._kept) - MOST_KEPT)]:
            await self._close(key)

    async def _close(self, key: bytes) -> None:
        made = self._kept.pop(key).made
        if not made.done():
            made.cancel()
        elif made.exception() is None:
            await made.result().close()


@contextmanager
def as_file(certificate: ClientCertificate) -> Iterator[str]:
    """Lends a path to certificate and key, for `ssl`, which takes nothing else.

    It leads into memory where the system has such files (Linux), and otherwise to a file that only we
    may read, which is gone afterwards.
    """
    if sys.platform == "linux":
        file = os.memfd_create("client certificate")
        try:
            os.write(file, certificate.pem())
            yield f"/proc/self/fd/{file}"
        finally:
            os.close(file)
    else:
        with TemporaryDirectory() as folder:  # nobody else may look into it
            path = Path(folder) / "pem"
            path.touch(0o600)
            path.write_bytes(certificate.pem())
            yield str(path)
