"""Sets up structlog: one line an event, JSON for machines, colours for a terminal.

Secrets cannot get in by accident: `Secret` masks itself, and no module logs a body or a header.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import Processor

from refresher.settings import Settings


def configure(settings: Settings) -> None:
    """Sends our own and the libraries' log lines to stderr in one format."""
    json = settings.log_format == "json" or (
        settings.log_format == "auto" and not sys.stderr.isatty()
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer()
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    level = getattr(logging, settings.log_level.upper())
    structlog.configure(
        processors=[*shared, *([structlog.processors.dict_tracebacks] if json else []), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(shared, renderer, level)


def _adopt_standard_logging(shared: list[Processor], renderer: Processor, level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # httpx logs each request with its URL, and a long-lived exchange has its token in the URL.
    for chatty in ("httpx", "httpcore", "apscheduler", "uvicorn.access", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
