"""Traces: one for each batch, across the message; nothing where they are off."""

from collections.abc import Iterator

import dramatiq
import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from refresher.refresh.dispatch import dispatch_due
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from refresher.runtime import tracing
from refresher.runtime.broker import make_broker, send
from refresher.runtime.queues import InMemoryBroker
from refresher.settings import load
from tests.world import World


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans of this test."""
    exporter = InMemorySpanExporter()
    assert tracing.start(load(traces="otlp"), "worker", SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


def run(world: World, *, traces: str) -> InMemoryBroker:
    """Dispatches and refreshes what is due through a broker of its own."""
    broker = make_broker(
        load(traces=traces, integration_refresh={"transport": "in_process", "queue": "q"})
    )
    assert isinstance(broker, InMemoryBroker)

    @dramatiq.actor(broker=broker, queue_name="q", max_retries=0)
    def work(claims: list[tuple[str, int]]) -> None:
        refresh(world.services, [Claim(type(ids[id_])(id_), token) for id_, token in claims])

    ids = {str(row.id): row.id for row in world.rows("select id from connection")}
    worker = dramatiq.Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    try:
        dispatch_due(world.services, lambda groups: send(work, groups))
        broker.join("q")
        worker.join()
    finally:
        worker.stop()
    return broker


def test_a_batch_is_one_trace_from_scheduler_to_exchange(
    world: World, spans: InMemorySpanExporter
) -> None:
    """Hand over, batch and each exchange hang together; nothing names a connection or a token."""
    ids = [world.connect(f"c{n}", expires_in=0, access_token="canary-access") for n in range(2)]
    world.script.answer = lambda _request: Reply(503, elapsed_seconds=0.5)
    run(world, traces="otlp")
    found = {span.name: span for span in spans.get_finished_spans()}
    exchanges = [s for s in spans.get_finished_spans() if s.name == "exchange"]
    handed, batch = found["hand over"], found["refresh batch"]
    assert batch.parent is not None
    assert handed.context is not None
    assert batch.context is not None
    assert batch.parent.span_id == handed.context.span_id
    assert len(exchanges) == 2
    for span in exchanges:
        assert span.parent is not None
        assert span.parent.span_id == batch.context.span_id
        assert span.attributes == {
            "refresher.provider": "acme", "http.response.status_code": 503,
        }  # fmt: skip
    text = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert "canary" not in text
    assert not [id_ for id_ in ids if str(id_) in text]


def test_without_the_setting_nothing_is_traced(world: World) -> None:
    """Off is the default: no middleware, no option in the message, and the refresh goes its way."""
    assert not tracing.start(load(), "worker")
    id_ = world.connect(expires_in=0)
    broker = run(world, traces="off")
    assert "Tracing" not in {type(m).__name__ for m in broker.middleware}
    assert world.events(id_)[-1] == "refreshed"
