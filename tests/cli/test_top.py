"""`top`: what it shows, on 80 columns, live and as JSON."""

import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
from rich.console import Console

from refresher.cli.top.command import MORE, as_json
from refresher.cli.top.picture import Picture, TopView, picture
from refresher.insight.queue import QueueNow
from refresher.rules.outcomes import Reply
from refresher.store import inspection, workers
from tests.cli.kit import Cli
from tests.world import World

QUEUE = QueueNow("redis", "integration_refresh", 4, 2.0)


def look(world: World) -> TopView:
    """Takes a look as the command does."""
    with world.services.database.transaction() as db:
        return TopView(inspection.activity(db, has_lock=True), QUEUE)


def drawn(view: TopView) -> list[str]:
    """Returns the picture's lines as an 80-column terminal shows them."""
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(picture(view))
    return captured.get().splitlines()


@pytest.fixture
def busy(world: World) -> Iterator[World]:
    """A world with something of everything in it."""
    for n in range(6):
        world.connect(f"c{n}", expires_in=0 if n < 3 else 3600)
    world.pass_time(40)
    world.tick()
    world.script.answer = lambda _request: Reply(503)
    world.connect("bad", expires_in=0)
    world.tick()
    world.connect("held", expires_in=0)
    world.connect("alone", expires_in=0, provider="paced")
    world.pass_time(90)
    world.claim()
    world.run(
        "update refresh_schedule set state = 2, parked_reason = 'crash_loop' where connection_id = "
        "(select id from connection where external_id = 'c5')"
    )
    world.hold("provider", "acme", sort="silent", seconds=30, reason="status 503")
    world.hold("app", "paced/default", sort="refused", seconds=30, reason="invalid_client")
    with world.services.database.session() as db:
        key = workers.register(db, uuid4(), role="scheduler", host="here", process_id=11)
        assert workers.take_lock(db, key)
        workers.register(db, uuid4(), role="worker", host="there", process_id=12)
        yield world


def test_everything_is_in_the_picture(busy: World) -> None:
    """Rows, what is late, parked, dead, providers with their state, and who works, on 80 columns."""
    lines = drawn(look(busy))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    for part in (
        "leased", "the first by", "crash_loop 1", "are dead now", "status 503", "open",
        "invalid_client", "refused", "4 batches in integration_refresh, the first for 2 s",
        "scheduler", "alive", "missing", "there",
    ):  # fmt: skip
        assert part in text, text


def test_the_same_is_told_as_json(busy: World) -> None:
    """Every figure of the picture has a field."""
    told = json.loads(json.dumps(as_json(look(busy)), default=str))
    assert told["parked"] == {"crash_loop": 1}
    assert told["leased"] == 3
    assert told["overdue"] == 3
    assert told["oldest_overdue_seconds"] > 80
    providers = {p["provider"]: (p["in_flight"], p["breaker"]) for p in told["providers"]}
    assert providers == {"acme": (2, "open"), "paced": (1, "refused")}
    assert [(p["role"], p["locked"]) for p in told["processes"]] == [
        ("scheduler", True), ("worker", False),
    ]  # fmt: skip
    assert told["queue"]["depth"] == 4


def test_the_last_minute_counts_and_no_more(world: World) -> None:
    """Rate and lateness come from the events of the last minute."""
    world.connect("c1", expires_in=0)
    world.pass_time(10)
    world.tick()
    with world.services.database.transaction() as db:
        recent = inspection.recent(db)
    assert (recent.refreshed, recent.failed) == (1, 0)
    assert recent.per_second == pytest.approx(1 / 60)
    assert recent.lateness_p50_seconds == recent.lateness_p99_seconds == pytest.approx(10)
    world.pass_time(61)
    with world.services.database.transaction() as db:
        recent = inspection.recent(db)
    assert (recent.refreshed, recent.lateness_p50_seconds) == (0, None)


def test_a_flood_of_events_is_looked_at_in_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more events than are read, the newest count, over the time that they span."""
    monkeypatch.setattr(inspection, "MOST_EVENTS", 3)
    for n in range(5):
        world.connect(f"c{n}", expires_in=0)
        world.tick()
        world.pass_time(1)
    with world.services.database.transaction() as db:
        recent = inspection.recent(db)
    assert recent.over_seconds < 5
    assert recent.refreshed < 5


def test_an_empty_deployment_has_a_picture(world: World) -> None:
    """Without connections and processes, each line says so; without Textual, how to get more."""
    console = Console(width=90, color_system=None)
    with console.capture() as captured:
        console.print(Picture(look(world), more=MORE))
    text = captured.get()
    assert "pip install 'refresher[terminal]'" in text
    assert "No process is registered" in text
    assert "No provider has anything in flight" in text
    assert "nothing was refreshed" in text


def test_a_picture_outlasts_the_database(busy: World) -> None:
    """While Postgres is away the last picture stays, with the reason below it."""
    view = look(busy).stale("postgresql://x cannot be used: connection refused")
    assert "connection refused" in "\n".join(drawn(view))


def test_long_lists_are_cut_and_names_do_not_steer(busy: World) -> None:
    """Twenty providers leave room for the rest, and a reason's control characters are not obeyed."""
    view = look(busy)
    one = replace(view.activity.providers[0], reason="\x1b[2Jevil " * 20)
    many = replace(view.activity, providers=(one,) * 20)
    lines = drawn(replace(view, activity=many))
    assert "and 12 more providers" in "\n".join(lines)
    assert "\x1b" not in "\n".join(lines)
    assert max(map(len, lines)) <= 80


def test_once_and_json_of_the_command(cli: Cli) -> None:
    """`--once` prints a picture, `--once --json` one document; without a terminal one look is all."""
    cli.connect("c1")
    assert "refresher top" in cli("top", "--once").stdout
    told = cli("top", "--once", "--json").json
    assert (told["idle"], told["queue"]["transport"]) == (1, "in_process")
    assert "in the scheduler's memory" in cli("top").stdout


def test_json_goes_on_until_it_is_interrupted(cli: Cli) -> None:
    """`--json` prints a document a look; Ctrl-C ends it with 130."""
    with cli.running("top", "--json", "--interval", "0.2") as process:
        assert process.stdout is not None
        assert [json.loads(process.stdout.readline())["idle"] for _ in range(2)] == [0, 0]
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=55)
    assert (process.returncode, stderr) == (130, b"")


def test_a_redis_that_is_away_is_told_in_the_picture(cli: Cli) -> None:
    """Postgres still answers: what it tells is shown, and so is Redis's absence."""
    cli.env |= {
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "redis",
        "REDIS_URL": "redis://:hunter2@127.0.0.1:9/0",
    }
    ran = cli("top", "--once")
    assert "redis does not answer" in ran.stdout
    assert "hunter2" not in ran.stdout


def test_wrong_intervals_are_refused(cli: Cli) -> None:
    """An interval of nothing ends in a sentence."""
    cli("top", "--interval", "0").refused("--interval")
