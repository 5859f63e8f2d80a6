"""A commit whose confirmation is lost took place or did not: either way nothing happens twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Connection as Db

from refresher.errors import DatabaseUnavailable
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.store import state_changes
from refresher.store.pool import Pool
from tests.world import World


class LostAnswer(Pool):
    """A database of which one commit is never confirmed; it took place, or was lost as well."""

    def __init__(
        self,
        whole: Pool,
        nth: int,
        *,
        took_place: bool = True,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self.__dict__.update(whole.__dict__)
        self._nth, self._took_place, self._meanwhile = nth, took_place, meanwhile

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Db]:
        """Opens a transaction; the nth ends in doubt."""
        self._nth -= 1
        is_lost = self._nth == 0
        with super().transaction(snapshot=snapshot) as db:
            yield db
            if is_lost and not self._took_place:
                raise DatabaseUnavailable("the connection broke before the commit")
        if is_lost:
            self._meanwhile()
            raise DatabaseUnavailable("the connection broke after the commit")


PLACES = [
    *[("no trouble", nth, step) for nth, step in ((1, "reload and begin"), (2, "commit"))],
    *[("trouble", nth, step) for nth, step in ((1, "reload"), (2, "begin"), (3, "commit"))],
]
"""The commits of a refresh, by whether something is told against a scope of its provider."""


@pytest.mark.parametrize("took_place", [True, False])
@pytest.mark.parametrize(("told", "nth", "step"), PLACES)
def test_a_commit_that_nobody_confirmed_is_not_done_twice(
    world: World, told: str, nth: int, step: str, took_place: bool
) -> None:
    """One request, one stored pair, one event, whichever commit's answer is lost."""
    id_ = world.connect(expires_in=0)
    if told == "trouble":
        world.hold("provider", "acme@elsewhere", sort="limited")
    claims = world.claim()
    doubtful = LostAnswer(world.services.database, nth, took_place=took_place)
    refresh(replace(world.services, database=doubtful), claims)
    assert len(world.script.asked) == 1
    assert world.events(id_) == ["imported", "refreshed"]
    row = world.row(id_)
    assert (row.state, row.starts, row.credential_version) == (0, 0, 2), step
    assert world.one("select count(*) as n from quarantine").n == 0


def test_some_begun_in_doubt_and_others_not(world: World) -> None:
    """A batch in which one row is begun by its reload, and one is parked: the second try knows both."""
    fine, dead = world.connect("c1", expires_in=0), world.connect("c2", expires_in=0)
    claims = world.claim()
    world.run("update connection set status = 'reconnect_required' where id = :id", id=dead)
    doubtful = LostAnswer(world.services.database, 1)
    tally = refresh(replace(world.services, database=doubtful), claims)
    assert tally == {"stale": 0, "parked": 1, "refreshed": 1}
    assert (world.row(fine).state, world.row(dead).parked_reason) == (0, "reconnect_required")
    assert len(world.script.asked) == 1


@pytest.mark.parametrize("took_place", [True, False])
def test_a_probe_in_doubt_costs_no_other_row_its_refresh(world: World, took_place: bool) -> None:
    """Begun by its reload, a row goes on whatever becomes of who probes; nobody probes twice."""
    world.connect("calm", expires_in=0)
    probing = world.connect("probes", provider="paced", expires_in=0)
    claims = world.claim()
    world.hold("provider", "paced", sort="limited", seconds=-1)
    doubtful = LostAnswer(world.services.database, 2, took_place=took_place)
    tally = refresh(replace(world.services, database=doubtful), claims)
    assert tally["refreshed"] == (1 if took_place else 2)
    assert tally["postponed"] == (1 if took_place else 0)
    assert world.row(probing).state == 0


@pytest.mark.parametrize("ago_seconds", [0, 1])
def test_a_second_delivery_does_not_profit_from_a_commit_in_doubt(
    world: World, ago_seconds: int
) -> None:
    """Only the reload that set the mark may pass it again."""
    world.connect(expires_in=0)
    claims = world.claim()
    world.run(
        "update refresh_schedule set begun_token = lease_token, holder_id = :me, "
        "begun_at = refresher_now() - :ago * interval '1 second'",
        me=world.services.holder_id,
        ago=ago_seconds,
    )
    doubtful = LostAnswer(world.services.database, 1)
    assert refresh(replace(world.services, database=doubtful), claims) == {"stale": 1}
    assert world.script.asked == []


def test_who_comes_while_a_mark_is_in_doubt_is_stale(world: World) -> None:
    """A second delivery, to the same process, between the commit and the try that recognizes it."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    second: list[dict[str, int]] = []
    doubtful = LostAnswer(
        world.services.database, 1, meanwhile=lambda: second.append(refresh(world.services, claims))
    )
    assert refresh(replace(world.services, database=doubtful), claims)["refreshed"] == 1
    assert second == [{"stale": 1}]
    assert (len(world.script.asked), world.events(id_)) == (1, ["imported", "refreshed"])


def test_what_is_set_aside_while_its_mark_is_in_doubt_is_not_sent(world: World) -> None:
    """Paused before the second try: no request leaves, and the row is left to the sweep."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()

    def pause() -> None:
        with world.services.database.transaction() as db:
            state_changes.stop(db, id_, "paused")

    doubtful = LostAnswer(world.services.database, 1, meanwhile=pause)
    assert refresh(replace(world.services, database=doubtful), claims) == {"stale": 1}
    assert world.script.asked == []


def test_a_quarantined_pair_that_is_older_than_the_stored_one_stays_where_it_is(
    world: World,
) -> None:
    """A grant that dies long after an interruption is told at once, with no spent token presented."""
    # Given a pair in quarantine, and a refresh since that shows it is spent
    id_ = world.connect(expires_in=0)
    world.run(
        "insert into quarantine (id, connection_id, grant_number, credential_version, access_token) "
        "select :new, id, grant_number, credential_version, access_token from connection",
        new=uuid4(),
    )
    world.pass_time(1)
    assert world.tick()["refreshed"] == 1
    # When the provider ends the grant
    world.pass_time(3600)
    world.script.answer = lambda _: Reply(400, {}, b'{"error": "invalid_grant"}')
    assert world.tick()["revoked"] == 1
    assert world.row(id_).status == "reconnect_required"
