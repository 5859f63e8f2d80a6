"""Lists by word and owner, counts: what they hold, in which order, and where they go on."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from refresher.rules.standing_word import Health
from refresher.store import counting, lists, walks
from refresher.store.counting import Counted
from refresher.store.lists import Chosen
from refresher.store.walks import NoPlace
from tests.world import World

SCHEDULE = "update refresh_schedule set {} where connection_id = :id"
CONNECTION = "update connection set {} where id = :id"
KINDS = {
    "fresh": (),
    "late": (SCHEDULE.format("due_at = refresher_now() - interval '1 minute'"),),
    "retrying": (SCHEDULE.format("attempt = 2"),),
    "waiting": (SCHEDULE.format("postponed_by = 'app:acme/default'"),),
    "expired": (
        CONNECTION.format("expires_at = refresher_now()"),
        SCHEDULE.format("due_at = refresher_now()"),
    ),
    "refreshing": (SCHEDULE.format("state = 1, lease_until = refresher_now()"),),
    "blocked": (SCHEDULE.format("state = 2, parked_reason = 'crash_loop'"),),
    "reconnect_required": (
        SCHEDULE.format("state = 2, parked_reason = 'reconnect_required'"),
        CONNECTION.format("status = 'reconnect_required', status_cause = 'invalid_grant'"),
    ),
    "connecting": (
        CONNECTION.format("in_between_steps = true"),
        SCHEDULE.format("state = 2, parked_reason = 'mid_oauth'"),
    ),
    "paused": (
        CONNECTION.format("paused_at = refresher_now()"),
        SCHEDULE.format("state = 2, parked_reason = 'paused'"),
    ),
    "disabled": (
        CONNECTION.format("disabled_at = refresher_now()"),
        SCHEDULE.format("state = 2, parked_reason = 'disabled'"),
    ),
    "deleted": (
        CONNECTION.format("deleted_at = refresher_now()"),
        SCHEDULE.format("state = 2, parked_reason = 'deleted'"),
    ),
}


def one_of_each(world: World, organization: str = "org") -> dict[str, UUID]:
    """Makes a connection of each kind, with a sibling that shares its grant; returns the former."""
    made = {}
    for kind, changes in KINDS.items():
        id_ = world.connect(kind, organization_id=organization, name=f"The {kind} one")
        if kind != "deleted":
            world.connect(
                f"{kind} sibling", organization_id=organization, root_external_id=kind,
                access_token=None, refresh_token=None, expires_in=None,
            )  # fmt: skip
        for change in changes:
            world.run(change, id=id_)
        made[kind] = id_
    return made


def all_of(world: World, chosen: Chosen, limit: int = 50) -> list[str]:
    """Pages through a list; returns the external ids."""
    found, after = [], None
    with world.services.database.transaction() as db:
        while True:
            page = lists.page(db, chosen, after=after, limit=limit)
            found += [row.external_id for row in page.rows]
            assert all(chosen.health in (None, row.health) for row in page.rows)
            if page.after is None:
                return found
            after = page.after


@pytest.mark.parametrize("whose", [None, "org"])
@pytest.mark.parametrize("limit", [50, 1])
def test_every_word_has_its_list(world: World, whose: str | None, limit: int) -> None:
    """It holds who stands so and who shares the grant of one, in pages of any size, and nobody else."""
    one_of_each(world)
    for word in Health:
        expected = [word.value] if word is Health.DELETED else [word.value, f"{word.value} sibling"]
        chosen = Chosen(word, organization_id=whose, sees_deleted=True)
        assert sorted(all_of(world, chosen, limit)) == expected
    assert all_of(world, Chosen(Health.DELETED, organization_id=whose)) == []


@pytest.mark.parametrize("limit", [50, 5])
@pytest.mark.parametrize(
    "chosen",
    [
        Chosen(),
        Chosen(organization_id="org"),
        Chosen(provider="acme"),
        Chosen(organization_id="org", provider="acme"),
        Chosen(app="default"),
    ],
)
def test_without_a_word_everybody_who_lives_is_listed_once(
    world: World, chosen: Chosen, limit: int
) -> None:
    """By account: organization, provider, external id."""
    one_of_each(world)
    found = all_of(world, chosen, limit)
    assert found == sorted(found)
    assert len(found) == 2 * (len(KINDS) - 1)


def test_other_peoples_are_in_no_list(world: World) -> None:
    """Of another organization, provider or app there is nothing, on a small or a large walk."""
    one_of_each(world)
    for other in ({"organization_id": "other"}, {"provider": "paced"}, {"app": "eu"}):
        for word in (None, *Health):
            assert all_of(world, Chosen(word, **other)) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("whose", [{}, {"organization_id": "org"}])
def test_what_is_due_next_comes_first(world: World, whose: dict[str, str]) -> None:
    """In the order of due times, what is scheduled alone."""
    for n in (3, 1, 2):
        id_ = world.connect(f"c{n}")
        world.run(SCHEDULE.format("due_at = refresher_now() + :n * interval '1 hour'"), id=id_, n=n)
    world.run(KINDS["blocked"][0], id=world.connect("c0"))
    for limit in (1, 10):
        assert all_of(world, Chosen(order="due", **whose), limit) == ["c1", "c2", "c3"]  # type: ignore[arg-type]


def test_a_look_that_ends_says_so_and_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked for and rare is found by looking further, whichever way leads there."""
    monkeypatch.setattr(lists, "MOST_LOOKED", 4)
    for n in range(10):
        world.connect(f"c{n}")
    world.run(CONNECTION.format("app_name = 'eu'"), id=world.connect("rare"))
    rare = Chosen(app="eu")
    with world.services.database.transaction() as db:
        first = lists.page(db, rare)
        assert (first.rows, first.looked, first.is_cut) == ([], 4, True)
    assert all_of(world, rare) == ["rare"]
    assert all_of(world, Chosen(app="eu", order="due")) == ["rare"]
    assert len(all_of(world, Chosen(provider="acme"), 3)) == 11


def test_slots_stand_in_lists_that_ask_for_them(world: World) -> None:
    """Each has a row of its own, and may stand otherwise than the main token."""
    main, user = world.connect("T1"), world.connect("T1 user")
    world.run(
        CONNECTION.format("external_id = 'T1', slot = 'user', slot_of = :main"), id=user, main=main
    )
    with world.services.database.transaction() as db:
        whole = lists.page(db, Chosen()).rows
        mains = lists.page(db, Chosen(slots=False)).rows
    assert [row.slot for row in whole] == ["", "user"]
    assert [row.id for row in mains] == [main]


@pytest.mark.parametrize(
    "place",
    [
        ("nothing",),
        ("accounts",),
        ("accounts", "a", "b", "c"),
        ("reconnect", str(uuid4()), "x"),
        ("organization", "a", "b", "c", "d"),
    ],
)
def test_a_place_of_another_list_is_none(world: World, place: tuple[str, ...]) -> None:
    """Whatever somebody made of a cursor, Postgres is not asked with it."""
    with world.services.database.transaction() as db, pytest.raises(NoPlace):
        lists.page(db, Chosen(Health.RECONNECT_REQUIRED), after=place)


@pytest.mark.parametrize("whose", [None, "org"])
def test_every_word_is_counted(world: World, whose: str | None) -> None:
    """As many as the list has, siblings too; all of them together are exact while they are few."""
    one_of_each(world)
    with world.services.database.transaction() as db:
        found = counting.counts(db, whose)
        assert counting.about(db, whose) == Counted(2 * (len(KINDS) - 1))
        assert counting.about(db, "nobody") == Counted(0)
    words = {*Health} - {Health.FRESH, Health.DELETED}
    assert {word: found[word] for word in words} == {word: Counted(2) for word in words}


def test_counts_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound a number is a least one, of all and of an organization that is too large."""
    one_of_each(world)
    for module in (walks, counting, lists):
        monkeypatch.setattr(module, "MOST_LOOKED", 1)
    monkeypatch.setattr(counting, "FEW", 0)
    monkeypatch.setattr(counting, "MOST_COUNTED", 1)
    monkeypatch.setattr(counting, "MOST_GROUPED", 1)
    for _ in range(2):
        world.run(KINDS["paused"][0], id=world.connect(str(uuid4())))
    with world.services.database.transaction() as db:
        for whose in (None, "org"):
            found = counting.counts(db, whose)
            assert found[Health.PAUSED].is_capped
            assert not found[Health.BLOCKED].is_capped
            assert counting.about(db, whose).is_capped


def test_a_row_tells_why(world: World) -> None:
    """The reason of a blockade, of the last failure, of a grant's end; since when it is paused."""
    made = one_of_each(world)
    world.run(
        "insert into refresh_event (connection_id, kind, reason) values (:id, 'transient', 'HTTP 503')",
        id=made["retrying"],
    )
    with world.services.database.transaction() as db:
        notes = {row.health: row for row in lists.rows(db, list(made.values()))}
    assert notes[Health.RETRYING].note == "HTTP 503"
    assert notes[Health.BLOCKED].note == "refreshing it ended its process"
    assert notes[Health.WAITING].note == "app acme/default is refused"
    assert notes[Health.RECONNECT_REQUIRED].note == "invalid_grant"
    assert notes[Health.PAUSED].since == world.one("select refresher_now() as now").now
    assert notes[Health.FRESH].due_at is not None
    assert notes[Health.PAUSED].due_at is None
