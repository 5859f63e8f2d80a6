"""One look for all who watch: what it tells, how seldom it is taken, what it does without Postgres."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from refresher.errors import DatabaseUnavailable
from refresher.insight import looks
from refresher.insight.looks import Look, Looks
from refresher.rules.needs import plain
from refresher.rules.outcomes import Reply
from refresher.store import recipients, workers
from refresher.store.sample_history import Lately
from tests.world import World

T = TypeVar("T")


def anew(_name: str, make: Callable[[], T]) -> T:
    """Keeps nothing."""
    return make()


def look(world: World, organization_id: str | None = None) -> Look:
    """Takes a look."""
    return looks.take(world.services, organization_id, anew)


def told(seen: Look) -> dict[str, str]:
    """Returns the sentence of each need by its title."""
    return {need.title: plain(need.words) for need in seen.needs}


@pytest.fixture
def running(world: World) -> Iterator[World]:
    """A world with a scheduler, so that nothing is missing."""
    with world.services.database.session() as db:
        key = workers.register(
            db, world.services.holder_id, role="scheduler", host="h", process_id=1
        )
        assert workers.take_lock(db, key)
        world.run("update worker set seen_at = refresher_now()")
        yield world


def test_of_nothing_there_is_a_sentence(world: World) -> None:
    """Without a connection nothing is wrong, though no scheduler runs."""
    seen = look(world)
    assert (seen.verdict.sentence, seen.needs, seen.facts.connections) == (
        "No connection is stored yet.", (), 0,
    )  # fmt: skip
    assert seen.history is not None


def test_all_well(running: World) -> None:
    """Fresh tokens need nobody, and the first of them that ends is told."""
    running.connect("c1", expires_in=3600)
    running.connect("c2", expires_in=7200)
    seen = look(running)
    assert seen.verdict.sentence == "Every token is fresh, and nothing needs a person."
    assert seen.verdict.more == (
        "Nothing is late. The first access token would end in 60 min; its refresh is due before that."
    )
    assert (seen.facts.connections, seen.in_use, seen.counted) == (2, ("acme",), {})


def test_a_refused_app_counts_who_waits_and_when_the_first_token_ends(running: World) -> None:
    """The pause of an app is a need; the end of the first living token behind it is told."""
    for n in range(3):
        running.connect(f"c{n}", expires_in=60 * (n + 10))
    running.hold("app", "acme/default", sort="refused", reason="invalid_client", seconds=900)
    running.run(
        "update refresh_schedule set postponed_by = 'app:acme/default', "
        "waits_for = 'app:acme/default', due_at = refresher_now() + interval '15 minutes'"
    )
    at = f"{look(running).facts.now:%H}"
    assert told(look(running)) == {
        "acme refuses our app acme/default": f"invalid_client since {at}:00. 3 connections wait for "
        f"it; the first of their tokens ends at {at}:10."
    }
    assert look(running).verdict.more.endswith(
        "The first that could end is one at acme, in 10 min."
    )
    assert look(running).counted == {"providers": 1, "apps": 1}


def test_who_has_to_connect_again_and_whom_nobody_tells(running: World) -> None:
    """Reconnects stand by provider, with the number of those of whom nobody hears."""
    ids = [running.connect(f"c{n}", organization_id=f"org-{n}") for n in range(3)]
    running.run(
        "update refresh_schedule set state = 2, parked_reason = 'reconnect_required', "
        "claimed_at = refresher_now()"
    )
    running.run("update connection set status = 'reconnect_required'")
    with running.services.database.transaction() as db:
        recipients.add(db, "org-1", "a@b.example", {})
    assert ids
    title = "3 connections have to be connected again"
    assert told(look(running))[title].endswith("Their owners were told; 2 have no recipient.")
    own = look(running, "org-1")
    assert [(need.title, need.link) for need in own.needs] == [
        ("1 connection has to be connected again",
         "/ui/connections?health=reconnect_required&organization=org-1"),
    ]  # fmt: skip
    assert told(own).popitem()[1].endswith("Whoever hears of it was told.")
    assert (own.facts.connections, own.work, own.history) == (1, None, None)


def test_what_waits_for_us_is_told_by_provider_or_by_reason(world: World) -> None:
    """A missing scheduler, a missing app, an unread answer, a crash loop, one need each."""
    for n, reason in enumerate(("app_not_configured", "unread_answer", "crash_loop", "paused")):
        world.connect(f"c{n}")
        world.run(
            "update refresh_schedule set state = 2, parked_reason = :reason where connection_id = "
            "(select id from connection where external_id = :name)",
            reason=reason, name=f"c{n}",
        )  # fmt: skip
    world.connect("idle")
    seen = look(world)
    assert list(told(seen)) == [
        "No scheduler is running", "No app acme/default is stored for acme",
        "acme answered and we could not read it", "1 connection is blocked",
    ]  # fmt: skip
    assert seen.verdict.sentence == (
        "Nothing is refreshed: no scheduler is running. 4 things need a person."
    )
    assert seen.switched_off == 1


def test_what_is_dead_is_no_alarm_while_it_is_refreshed(running: World) -> None:
    """A dead token counts only where its row is in nobody's hands."""
    running.connect("c1", expires_in=0)
    running.pass_time(60)
    running.script.answer = lambda _request: Reply(503)
    assert look(running).facts.ended == look(running, "org").facts.ended == 1
    assert look(running).facts.late == look(running, "org").facts.late == 1
    running.claim()
    assert look(running).facts.ended == look(running, "org").facts.ended == 0


def test_one_look_serves_all_who_ask(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty at once have the same look, taken once; it is taken again only when it is asked for."""
    taken: list[float] = []
    real = looks.take

    def slow(*given: Any) -> Look:
        taken.append(time.monotonic())
        time.sleep(0.05)
        return real(*given)

    monkeypatch.setattr(looks, "take", slow)
    kept = Looks(world.services)
    found: list[Look | None] = []
    threads = [
        threading.Thread(target=lambda: found.append(kept.seen(None, patience_seconds=30).look))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1
    assert all(one is found[0] and one is not None for one in found)
    monkeypatch.setattr(looks, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(looks, "KEPT_TIMES", 0.0)
    assert kept.seen(None, patience_seconds=30).look is not found[0]
    assert len(taken) == 2
    kept.close()


def test_who_cannot_wait_has_the_last_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a look takes long, the one before is there, with its age; and nothing before the first."""
    gate, real = threading.Event(), looks.take
    monkeypatch.setattr(looks, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(looks, "KEPT_TIMES", 0.0)

    def held(*given: Any) -> Look:
        gate.wait(30)
        return real(*given)

    kept = Looks(world.services)
    monkeypatch.setattr(looks, "take", held)
    assert kept.seen(None, patience_seconds=0.0).look is None
    gate.set()
    first = kept.seen(None, patience_seconds=30).look
    gate.clear()
    again = kept.seen(None, patience_seconds=0.01)
    assert again.look is first is not None
    assert again.trouble is None
    gate.set()
    kept.close()


def test_without_postgres_the_last_look_stays_with_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away is told beside the last look; it is back by itself."""
    monkeypatch.setattr(looks, "KEPT_SECONDS", 0.0)
    monkeypatch.setattr(looks, "KEPT_TIMES", 0.0)
    monkeypatch.setattr(looks, "AGAIN_SECONDS", 0.0)
    kept, real = Looks(world.services), looks.take
    first = kept.seen(None, patience_seconds=30)

    def away(*_given: Any) -> Look:
        raise DatabaseUnavailable("connection refused")

    monkeypatch.setattr(looks, "take", away)
    seen = kept.seen(None, patience_seconds=30)
    assert (seen.look, seen.trouble, seen.is_away) == (first.look, "connection refused", True)
    monkeypatch.setattr(looks, "take", real)
    back = kept.seen(None, patience_seconds=30)
    assert (back.trouble, back.is_away) == (None, False)
    kept.close()


def test_what_costs_more_is_kept_longer() -> None:
    """Under one name something is made once in half a minute."""
    memory = looks._Memory(30.0)
    assert memory("a", lambda: 1) == memory("a", lambda: 2) == 1
    assert looks._Memory(0.0)("a", lambda: 3) == 3
    assert Lately("x", 3, 1, 1, None, None).failed_share == 0.25


@pytest.mark.parametrize(("took", "kept"), [(0.01, 5.0), (0.1, 5.0), (0.2, 10.0), (3.0, 15.0)])
def test_where_looks_take_long_they_are_taken_less_often(took: float, kept: float) -> None:
    """At most a fiftieth of the time is spent on them, down to one in 15 s."""
    assert looks.kept_seconds(took) == kept
