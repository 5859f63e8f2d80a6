"""OpenTelemetry traces, where REFRESHER_TRACES is otlp and `refresher[otel]` is installed.

One trace for each batch: "hand over" in the scheduler, "refresh batch" in the worker, "exchange" for
each request. The message carries the W3C `traceparent` between them. Where to: the usual `OTEL_*`
variables. Nothing is imported, and the hot path compares one name, where traces are off.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from refresher import __version__
from refresher.errors import SettingsError
from refresher.rules.outcomes import Reply
from refresher.rules.providers import Provider
from refresher.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.trace import Tracer

_provider: TracerProvider | None = None
_MISSING = 'REFRESHER_TRACES is otlp, and OpenTelemetry is missing: `pip install "refresher[otel]"`'


class OfProvider(Protocol):
    """What a reply belongs to, as far as a span cares."""

    @property
    def provider(self) -> Provider:
        """The catalogue's entry."""


def start(settings: Settings, role: str, processor: SpanProcessor | None = None) -> bool:
    """Begins to trace, and returns whether it does; call it after any fork."""
    global _provider  # noqa: PLW0603  one per process
    if settings.traces == "off":
        return False
    try:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415  an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    except ImportError:
        raise SettingsError(_MISSING) from None
    names = {"service.name": f"refresher-{role}", "service.version": __version__}
    _provider = TracerProvider(resource=Resource.create(names))
    _provider.add_span_processor(processor or _to_collector())
    return True


def stop() -> None:
    """Sends what is left, and ends."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.shutdown()
    _provider = None


def exchanged(replies: Sequence[tuple[OfProvider, Reply]]) -> None:
    """Adds a span for each exchange below the batch's; neither ids nor tokens stand in it."""
    made = tracer()
    if made is None:
        return
    now = time.time_ns()
    for attempt, reply in replies:
        values: dict[str, str | int] = {"refresher.provider": attempt.provider.name}
        if reply.status is not None:
            values["http.response.status_code"] = reply.status
        if reply.failure is not None:
            values["error.type"] = reply.failure
        began = now - int(reply.elapsed_seconds * 1e9)
        made.start_span("exchange", attributes=values, start_time=began).end(now)


def tracer() -> Tracer | None:
    """Returns what makes spans, None while traces are off."""
    return None if _provider is None else _provider.get_tracer("refresher")


def _to_collector() -> SpanProcessor:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        raise SettingsError(_MISSING) from None
    return BatchSpanProcessor(OTLPSpanExporter())
