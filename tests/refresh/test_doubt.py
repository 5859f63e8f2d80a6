"""A commit whose confirmation is lost took place or did not: either way nothing happens twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import Connection as Db

from refresher.errors import DatabaseUnavailable
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.store.session import Database
from tests.world import World


class LostAnswer(Database):
    """A database of which one commit is never confirmed, although it took place."""

    def __init__(self, whole: Database, nth: int) -> None:
        self.__dict__.update(whole.__dict__)
        self._nth = nth

    @contextmanager
    def transaction(self, *, snapshot: bool = False) -> Iterator[Db]:
        """Opens a transaction; the nth ends in doubt."""
        with super().transaction(snapshot=snapshot) as db:
            yield db
        self._nth -= 1
        if self._nth == 0:
            raise DatabaseUnavailable("the connection broke after the commit")


@pytest.mark.parametrize(("nth", "step"), [(1, "reload"), (2, "begin"), (3, "commit")])
def test_a_commit_that_nobody_confirmed_is_not_done_twice(
    world: World, nth: int, step: str
) -> None:
    """One request, one stored pair, one event, whichever commit's answer is lost."""
    id_ = world.connect(expires_in=0)
    claims = world.claim()
    doubtful = LostAnswer(world.services.database, nth)
    refresh(replace(world.services, database=doubtful), claims)
    assert len(world.script.asked) == 1
    assert world.events(id_) == ["imported", "refreshed"]
    row = world.row(id_)
    assert (row.state, row.starts, row.credential_version) == (0, 0, 2), step
    assert world.one("select count(*) as n from quarantine").n == 0


def test_a_second_delivery_does_not_profit_from_a_commit_in_doubt(
    world: World,
) -> None:
    """Only the reload that set the mark may pass it again."""
    world.connect(expires_in=0)
    claims = world.claim()
    world.run(
        "update refresh_schedule set begun_token = lease_token, holder_id = :me, "
        "begun_at = refresher_now() - interval '1 second'",
        me=world.services.holder_id,
    )
    doubtful = LostAnswer(world.services.database, 1)
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
