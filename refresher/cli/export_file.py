"""Where an export goes: a new file of its owner's alone, or stdout.

A file is written under another name beside its own, and gets its own when it is whole: nobody takes
half an export for one. None is ever overwritten.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from refresher.cli.output import WrongUse

STDOUT = "-"


@contextmanager
def opened(out: str) -> Iterator[BinaryIO]:
    """Yields what to write to. What is there after an error, or a signal, is nothing."""
    if out == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(out)
    if path.exists() or path.is_symlink():
        raise WrongUse(f"{path} exists already: an export overwrites nothing")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _signals_interrupt(), _new(part) as file:
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            _name(part, path)
        finally:
            part.unlink(missing_ok=True)


def _new(path: Path) -> BinaryIO:
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise WrongUse(f"{path.parent} cannot be written to: {error.strerror}") from None


def _name(part: Path, path: Path) -> None:
    """Gives a file its name, unless another has got it meanwhile."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise WrongUse(f"{path} exists already: an export overwrites nothing") from None
    except OSError:  # a file system without links
        part.rename(path)


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Has a signal that would end the process leave through the block, as ^C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {}
    for name in ("SIGTERM", "SIGHUP"):
        with suppress(AttributeError, ValueError):  # another platform, or not the main thread
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
