"""What the counters count: the story on a real database, a scripted provider."""

import subprocess
import sys

import pytest

from refresher.refresh.recovery import sweep_stalled
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.runtime.liveness import Watch
from refresher.runtime.metrics.families import BatchHistogram
from tests.runtime.metrics.kit import open_meter, scrape
from tests.world import World, refused


def test_a_refresh_is_counted_once_by_provider_and_outcome(world: World) -> None:
    """Claim, exchange, lateness, commit and outcome of a refresh each stand in the scrape."""
    open_meter(world)
    for n in range(3):
        world.connect(f"c{n}", expires_in=10)
    world.pass_time(40)
    assert world.tick()["refreshed"] == 3
    seen = scrape(world)
    assert seen("refreshes_total", provider="acme", outcome="refreshed") == 3
    assert seen("claims_total") == 3
    assert seen("exchange_seconds_count", provider="acme") == 3
    assert seen("lateness_seconds_count") == 3
    assert seen("lateness_seconds_bucket", le="60.0") == 3
    assert seen("lateness_seconds_bucket", le="1.0") == 0
    assert (seen("commit_rows_count"), seen("commit_rows_sum")) == (1, 3)
    assert seen("expired_seconds_total") == pytest.approx(90, abs=2)


@pytest.mark.parametrize(
    ("reply", "outcome", "cause"),
    [
        (Reply(503), "transient", None),
        (Reply(429, {"retry-after": "30"}), "rate_limited", "rate_limit"),
        (refused("invalid_grant"), "revoked", None),
        (refused("invalid_client", 401), "misconfigured", "app"),
        (Reply(200, {}, b"<html>"), "malformed", None),
    ],
)
def test_trouble_is_counted_by_its_kind(
    world: World, reply: Reply, outcome: str, cause: str | None
) -> None:
    """Each outcome has its own series, and the pause that follows is counted with its cause."""
    open_meter(world)
    world.connect("c1", expires_in=0)
    world.connect("c2", expires_in=0)
    world.script.answer = lambda _request: reply
    world.tick()
    seen = scrape(world)
    assert seen("refreshes_total", provider="acme", outcome=outcome) == 2
    if cause:
        assert seen("pauses_total", provider="acme", cause=cause) == 1
    else:
        assert not seen.has("pauses_total")


def test_a_provider_that_the_catalogue_lacks_is_called_other(world: World) -> None:
    """A row with an unknown provider adds no series: its label is `other`."""
    open_meter(world)
    world.connect(expires_in=0)
    world.run("update connection set provider = 'evil-' || gen_random_uuid()")
    world.tick()
    assert scrape(world)("refreshes_total", provider="other", outcome="parked") == 1


def test_stale_claims_and_swept_leases_are_counted(world: World) -> None:
    """A claim that is not held any more, and leases that ended by themselves, are told by kind."""
    open_meter(world)
    world.connect("c1", expires_in=0)
    claims = world.claim()
    world.pass_time(120)
    sweep_stalled(world.services, Watch())
    refresh(world.services, claims)
    seen = scrape(world)
    assert seen("leases_swept_total", kind="unbegun") == 1
    assert seen("leases_swept_total", kind="unknown") == 0
    assert seen("stale_claims_total") == 1


def test_a_fenced_outcome_is_counted(world: World) -> None:
    """A pair that comes after a newer one is counted as fenced, and its pair as quarantined."""
    open_meter(world)
    id_ = world.connect(expires_in=0)
    rotate = world.script.rotate

    def answer_late(request: object) -> Reply:
        world.run("update connection set credential_version = credential_version + 1")
        return rotate(request)  # type: ignore[arg-type]

    world.script.answer = answer_late
    assert world.tick()["fenced"] == 1, world.events(id_)
    seen = scrape(world)
    assert seen("fenced_commits_total") == 1
    assert seen("refreshes_total", provider="acme", outcome="fenced") == 1
    assert seen("quarantined_pairs") == 1


def test_nothing_is_counted_where_metrics_are_off(database_url: str) -> None:
    """With REFRESHER_METRICS=false there is no scrape, and a refresh goes its way."""
    world = World(database_url, metrics=False)
    try:
        open_meter(world)
        world.connect(expires_in=0)
        assert world.tick()["refreshed"] == 1
        assert world.services.meter.scrape("") is None
    finally:
        world.close()


def test_a_batch_counts_as_its_parts_would() -> None:
    """Many values observed at once end in the buckets that they would reach one by one."""
    values = [-1.0, 0.0, 0.1, 0.1000001, 0.5, 7.0, 1e9]
    one = BatchHistogram("one", "x", registry=None, buckets=(0.1, 0.5, 7))
    many = BatchHistogram("many", "x", registry=None, buckets=(0.1, 0.5, 7))
    for value in values:
        one.observe(max(0.0, value))
    many.observe_many(values)
    (a,), (b,) = one.collect(), many.collect()
    assert [s.value for s in a.samples] == [s.value for s in b.samples]
    assert [s.value for s in b.samples][:4] == [3, 5, 6, 7]


def test_openmetrics_is_served_when_asked_for(world: World) -> None:
    """A Prometheus that asks for OpenMetrics gets it."""
    open_meter(world)
    made = world.services.meter.scrape("application/openmetrics-text; version=1.0.0")
    assert made is not None
    assert made[1].startswith("application/openmetrics-text")
    assert made[0].endswith(b"# EOF\n")


def test_commands_do_not_load_the_library() -> None:
    """Building services, as every command does, does not import prometheus_client."""
    code = "import sys, refresher.runtime.services; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
