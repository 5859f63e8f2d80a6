"""Carries traces across the queue: a Dramatiq middleware beside `tracing.py`."""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from refresher.runtime import tracing


class Tracing(Middleware):
    """Carries the trace across the queue: in the options of each message."""

    def before_enqueue(
        self, _broker: dramatiq.Broker, message: dramatiq.Message[Any], _delay: int | None
    ) -> None:
        """Notes the hand-over and puts its `traceparent` into the message."""
        tracer = tracing.tracer()
        if tracer is None:
            return
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        names = {"messaging.destination.name": message.queue_name}
        span = tracer.start_span("hand over", kind=SpanKind.PRODUCER, attributes=names)
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span))
        message.options.update(carrier)
        span.end()

    def before_process_message(
        self, _broker: dramatiq.Broker, message: dramatiq.MessageProxy
    ) -> None:
        """Opens the batch's span, on the thread that does the work."""
        tracer = tracing.tracer()
        if tracer is None:
            return
        from opentelemetry import context  # noqa: PLC0415
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
            TraceContextTextMapPropagator,
        )

        carrier = {"traceparent": message.options.get("traceparent", "")}
        parent = TraceContextTextMapPropagator().extract(carrier)
        rows = len(message.args[0]) if message.args else 0
        span = tracer.start_span(
            "refresh batch",
            context=parent,
            kind=SpanKind.CONSUMER,
            attributes={"refresher.rows": rows},
        )
        message.refresher_trace = (span, context.attach(set_span_in_context(span)))  # type: ignore[attr-defined]

    def after_process_message(
        self,
        _broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        """Ends the batch's span; of an exception only the type is told."""
        del result
        opened = getattr(message, "refresher_trace", None)
        if opened is None:
            return
        from opentelemetry import context  # noqa: PLC0415
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        span, token = opened
        if exception is not None:
            span.set_status(Status(StatusCode.ERROR, type(exception).__name__))
        span.end()
        context.detach(token)
