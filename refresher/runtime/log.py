"""Sets up structlog: one line an event, JSON for machines, colours for a terminal.

Secrets cannot get in by accident: `Secret` masks itself, no module logs a body or a header, tracebacks
come without their variables, and `masking.py` goes over every line, the libraries' lines too.

`Seldom` says the same thing seldom: while Postgres is away every tick and every thread meets it, each
several times a second.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from types import TracebackType
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from refresher.errors import RefresherError
from refresher.rules.masking import mask, masked
from refresher.runtime.sentry import report
from refresher.settings import Settings

CHATTY = ("httpx", "httpcore", "apscheduler", "uvicorn.access", "alembic")
"""Libraries whose lines below a warning say nothing that ours do not. httpx logs each request with its
URL, and a long-lived exchange has its token in the URL."""
STRANGERS = ("uvicorn.error", "apscheduler.scheduler")
"""What warns each time that somebody else is at fault: a client that speaks no HTTP, a server that
hangs and keeps a tick from ending. Both could fill the log; pages and metrics tell of the second."""

Traceback = TracebackType | None
LINED = frozenset({"exception", "stack"})
"""Parts of an event that have several lines."""


def configure(settings: Settings) -> None:
    """Sends our own and the libraries' log lines to stderr in one format."""
    json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = getattr(logging, settings.log_level.upper())
    plain = [] if json else [plain_event]  # JSON escapes them itself
    last = [_report, *_exceptions(json=json), mask_event, *plain, _renderer(json=json)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # A line and its end in one piece: other threads and processes write there, too.
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", Lossy(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging([*shared, structlog.stdlib.add_logger_name], last, level)


class Lossy(io.TextIOBase):
    """Where log lines go; one that is not taken there (a full disk, a closed pipe) is lost.

    No work may be: what logs may have the only copy of a token in its hands. `logging` itself does the
    same for the libraries' lines.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes, or does not."""
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hands over what was written."""
        with suppress(OSError, ValueError):
            self._stream.flush()


def adopt_all() -> None:
    """Has what would be printed past every logger, of this process and its threads, go through ours.

    Called by what runs as a process, where nobody else has hooks of his own.
    """
    logging.captureWarnings(capture=True)

    def told(kind: type[BaseException], error: BaseException | None, trace: Traceback) -> None:
        if not issubclass(kind, Exception):
            sys.__excepthook__(kind, error or kind(), trace)
            return
        told_of = (kind, error, trace)
        structlog.get_logger().error("an error that nobody expected", exc_info=told_of)

    sys.excepthook = told
    threading.excepthook = lambda given: told(given.exc_type, given.exc_value, given.exc_traceback)


def _report(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hands an exception to Sentry, where it is set up, and returns the event as it is."""
    report(event)
    return event


def mask_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Returns the event without anything that looks like a secret: the second net."""
    record = event.pop("_record", None)
    clean: EventDict = masked(event)
    if record is not None:
        clean["_record"] = record
    return clean


def plain_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Returns the event without anything that a terminal obeys, or that looks like another line.

    What a stranger sent may be in it. Only tracebacks have lines, each of them set in.
    """
    return {
        name: _lines(value) if name in LINED else _plain(value) for name, value in event.items()
    }


def _plain(value: object) -> object:
    """Returns a text with escape sequences, line breaks and changes of direction spelled out."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)


def _lines(value: object) -> object:
    if not isinstance(value, str):
        return value
    return "\n".join(f"  {_plain(line)}" for line in value.split("\n"))


class MaskedFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats a library's line like ours; one that cannot be formatted is told without its values."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the finished line."""
        try:
            return super().format(record)
        except Exception as error:  # noqa: BLE001  logging would print the arguments as they are
            return f"a log line of {record.name} cannot be shown: {mask(type(error).__name__)}"


def _exceptions(*, json: bool) -> list[Processor]:
    """Tracebacks as structures or as text, in either case without local variables."""
    if json:
        shown = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [structlog.processors.ExceptionRenderer(shown)]
    return [structlog.processors.format_exc_info]


def _renderer(*, json: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        exception_formatter=structlog.dev.plain_traceback, colors=sys.stderr.isatty()
    )


def _adopt_standard_logging(shared: list[Processor], last: list[Processor], level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        MaskedFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
    for busy in STRANGERS:
        logging.getLogger(busy).setLevel(logging.ERROR)


SELDOM_SECONDS = 10.0


class Seldom:
    """Log lines by what they are about: each at once, and then once in `every_seconds`."""

    def __init__(
        self,
        every_seconds: float = SELDOM_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._every = every_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._said: dict[Hashable, tuple[float, int]] = {}

    def warning(self, event: str, about: Hashable = None, **values: object) -> None:
        """Logs a warning; `about` tells apart what the same words are said of."""
        if (before := self._turn((event, about))) is not None:
            structlog.get_logger().warning(event, **values, **before)

    def error(self, event: str, about: Hashable = None, **values: object) -> None:
        """Logs an error."""
        if (before := self._turn((event, about))) is not None:
            structlog.get_logger().error(event, **values, **before)

    def exception(
        self, event: str, error: Exception, about: Hashable = None, **more: object
    ) -> None:
        """Logs an error with its traceback; those of one type are the same thing."""
        if (before := self._turn((event, about, type(error)))) is not None:
            structlog.get_logger().error(event, exc_info=error, **more, **before)

    def _turn(self, key: Hashable) -> dict[str, int] | None:
        """Returns None when it was said just now, else how often it was left out since."""
        now = self._clock()
        with self._lock:
            said_at, left_out = self._said.get(key, (float("-inf"), 0))
            if now - said_at < self._every:
                self._said[key] = (said_at, left_out + 1)
                return None
            self._said[key] = (now, 0)
        return {"left_out": left_out} if left_out else {}


def say_last(error: RefresherError) -> None:
    """Prints the sentence with which a process ends.

    Past `sys.stderr`: in Dramatiq's worker processes that is a pipe to the first process, which does
    not always pass on what came at the very end. As JSON where that is asked for: the settings may be
    what is wrong, so only the environment is looked at.
    """
    line = f"refresher: {error}"
    if os.environ.get("REFRESHER_LOG_FORMAT") == "json":
        line = json.dumps({"event": str(error), "level": "critical"}, ensure_ascii=False)
    print(line, file=sys.__stderr__ or sys.stderr, flush=True)
