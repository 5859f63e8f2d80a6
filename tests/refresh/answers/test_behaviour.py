"""What an entry says of a provider's behaviour, end to end, from exact bytes to what is stored."""

from __future__ import annotations

import pytest

from refresher.store import state_changes
from tests.outbound.servers import answer
from tests.refresh.answers.conftest import Stage
from tests.refresh.answers.test_wire import says
from tests.world import START


@pytest.mark.parametrize(
    ("said", "life"), [(says({"result": "0000"}), 5_000), (says({"expires_in": 60}), 60)]
)
def test_a_prolonged_token_stays_and_lives_anew(stage: Stage, said: bytes, life: float) -> None:
    """`prolongs`: the pair is the stored one still, its end is a new one, and it is due before that."""
    world = stage.world
    lines = "prolongs = true\naccess_token_lifetime_seconds = 5000"
    (id_,) = stage.play({"coros-like": (said, lines)}).values()
    pair = world.token(id_), world.token(id_, "refresh_token")

    world.tick()

    row = world.row(id_)
    assert (world.token(id_), world.token(id_, "refresh_token")) == pair
    assert (row.expires_at - START).total_seconds() == pytest.approx(life, abs=15)
    assert (row.state, row.attempt) == (0, 0)
    assert 0 < (row.due_at - START).total_seconds() < life
    event = world.one("select kind, reason from refresh_event order by id desc limit 1")
    assert (event.kind, event.reason) == ("refreshed", "the provider prolonged the stored token")


def test_a_page_prolongs_nothing(stage: Stage) -> None:
    """A proxy's 200 is no word of the provider's."""
    page = answer(b"<html>Please log in</html>")
    (id_,) = stage.play({"coros-like": (page, "prolongs = true")}).values()

    stage.world.tick()

    assert stage.world.row(id_).attempt == 1


@pytest.mark.parametrize("how", ["hangs up", "502"])
def test_a_request_that_may_have_arrived_is_sent_no_second_time(stage: Stage, how: str) -> None:
    """`retry = "never"`: it is parked for a reason of its own, people hear, a person has it go on."""
    world = stage.world
    said = answer(b"", "502 Bad Gateway") if how == "502" else b""
    (id_,) = stage.play({"procore-like": (said, 'retry = "never"')}).values()

    world.tick()
    world.pass_time(4_000)
    world.tick()

    row = world.row(id_)
    assert (row.state, row.parked_reason, row.unknown_outcomes) == (2, "lost_answer", 1)
    assert (row.status, len(stage.asked("procore-like"))) == ("active", 1)
    assert world.one("select trouble from connection").trouble == "answer_lost"
    assert [r.kind for r in world.rows("select kind from outbox")] == ["connection.answer_lost"]

    stage.said["procore-like"] = says({"access_token": "new", "refresh_token": "newer"})
    with world.services.database.transaction() as db:
        assert state_changes.resume(db, id_)
    world.tick()
    assert (world.token(id_), world.row(id_).state) == ("new", 0)
    assert world.one("select trouble from connection").trouble is None


def test_an_answer_of_the_provider_s_own_is_no_lost_one(stage: Stage) -> None:
    """A 503, and a request that never left, are tried again there, too."""
    (id_,) = stage.play({"busy": (answer(b"", "503 Busy"), 'retry = "never"')}).values()
    stage.world.tick()
    row = stage.world.row(id_)
    assert (row.state, row.attempt) == (0, 1)
