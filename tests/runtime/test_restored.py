"""A database that went back in time is noticed by a number outside it, and refreshes nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.errors import DatabaseOlder
from refresher.refresh.single_flight import claim_now
from refresher.runtime.restored import LOOK_SECONDS
from tests.world import World


@pytest.fixture(params=["file", "redis"])
def world(
    request: pytest.FixtureRequest, database_url: str, redis_url: str, tmp_path: Path
) -> Iterator[World]:
    """A world that keeps its number in a file, or in Redis as well."""
    url = redis_url if request.param == "redis" else None
    made = World(database_url, data_directory=tmp_path, redis_url=url)
    yield made
    made.close()


def go_back(world: World, events: int = 1) -> None:
    """Takes the history back, as a restored backup does."""
    newest = world.one("select last_value from refresh_event_id_seq").last_value
    world.run("select setval('refresh_event_id_seq', :before)", before=newest - events)
    world.services.restored.look_again()


def test_nothing_is_claimed_from_a_database_that_went_back(world: World) -> None:
    """Not even by hand, and with a sentence that names the way on; once it is confirmed, as ever."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(3)]
    guard = world.services.restored
    guard.watch()
    assert claim_now(world.services, ids[0]) is not None
    go_back(world)
    with pytest.raises(DatabaseOlder, match="refresher restore-check --confirm"):
        claim_now(world.services, ids[1])
    assert world.row(ids[1]).state == 0
    assert not guard.confirm().is_older
    assert claim_now(world.services, ids[1]) is not None


def test_a_confirmed_history_is_ahead_of_what_others_noted(
    world: World, database_url: str, tmp_path: Path
) -> None:
    """Another machine may have seen a little more: it takes the confirmed database all the same."""
    world.connect()
    installation = world.one("select id from installation").id
    world.services.restored.look(note=True)
    elsewhere = World(database_url, data_directory=tmp_path / "elsewhere")
    elsewhere.services.spool.put_mark(installation, 5_000)
    assert elsewhere.services.restored.look().is_older
    world.services.restored.confirm()
    assert not elsewhere.services.restored.look().is_older
    elsewhere.close()


def test_another_installation_s_number_is_not_ours(world: World) -> None:
    """A fresh database beside an old number begins at one, and is no backup."""
    world.services.restored.look(note=True)
    world.run("update installation set id = gen_random_uuid()")
    go_back(world, events=0)
    assert not world.services.restored.look().is_older


def test_it_is_looked_at_now_and_then(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks a check asks nobody; and in a process that does not watch it never does."""
    guard, looks = world.services.restored, []
    whole = guard.look

    def look(*, note: bool = False) -> object:
        looks.append(note)
        return whole(note=note)

    monkeypatch.setattr(guard, "look", look)
    guard.check()
    assert looks == []
    guard.watch()
    for _ in range(5):
        guard.check()
    assert looks == [True]
    monkeypatch.setattr("time.monotonic", lambda: 1e9 + LOOK_SECONDS)
    guard.check()
    assert looks == [True, True]


def test_a_number_that_cannot_be_read_is_none(world: World, tmp_path: Path) -> None:
    """Half a file tells nothing, and a disk that takes nothing stops nobody."""
    (tmp_path / "high-water.json").write_text('{"half')
    world.services.restored.look(note=True)
    assert not world.services.restored.look().is_older
