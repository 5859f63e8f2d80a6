"""What an entry says of a provider's behaviour, end to end, from exact bytes to what is stored."""

from __future__ import annotations

import pytest

from refresher.notify import watch
from refresher.store import state_changes
from tests.outbound.servers import answer
from tests.refresh.answers.conftest import Stage
from tests.refresh.answers.test_wire import says
from tests.rules.samples import DAY
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


TWO_ENDS = f"""
refresh_token_lifetime_seconds = {30 * DAY}
refresh_token_absolute_seconds = {50 * DAY}
refresh_token_absolute_fields = ["hard"]"""
PAIR = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}


def ends(stage: Stage) -> tuple[float | None, float | None]:
    """Returns in how many days the refresh token and the grant end, counted from the beginning."""
    row = stage.world.one("select refresh_token_expires_at as idle, grant_ends_at from connection")
    found = [at and (at - START).total_seconds() / DAY for at in row]
    return found[0], found[1]


def test_a_grant_has_a_second_end_that_no_refresh_moves(stage: Stage) -> None:
    """Counted from the answer that is handed in; the stored end is the nearer one, told ahead."""
    world = stage.world
    (id_,) = stage.play({"two-ends": (says(PAIR), TWO_ENDS)}).values()
    assert ends(stage)[1] is None  # nobody told when consent was
    given = {"organization_id": "org", "provider": "two-ends", "external_id": "two-ends"}
    world.take({**given, "answer": {**PAIR, "expires_in": 0}})
    assert ends(stage) == (50, 50)

    world.tick()
    assert ends(stage) == (30, 50)  # the sliding one begins with a refresh
    world.pass_time(25 * DAY)
    world.tick()
    assert ends(stage) == (50, 50)
    watch.tell(world.services)
    (news,) = world.rows("select kind, payload from outbox")
    assert (news.kind, news.payload["days_left"]) == ("connection.expiring", 30)
    assert news.payload["refresh_token_expires_at"].startswith("2030-02-20")

    world.take({**given, "refresh_token": "of another consent"})
    assert ends(stage)[1] is None
    assert world.row(id_).grant_number == 3


def test_an_answer_tells_the_second_end_and_it_is_watched_once(stage: Stage) -> None:
    """The same end told again is none that anybody need look at."""
    world = stage.world
    stage.play({"told-end": (says({**PAIR, "hard": 40 * DAY}), TWO_ENDS)})
    world.tick()
    assert ends(stage) == (30, 40)
    looks = "select look_at, told_days from grant_end"
    first = world.one(looks)
    stage.said["told-end"] = says({**PAIR, "hard": 39 * DAY})
    world.pass_time(DAY)
    world.tick()
    assert ends(stage) == (31, 40)
    assert world.one(looks) == first
    stage.said["told-end"] = says({**PAIR, "hard": 20 * DAY})
    world.pass_time(DAY)
    world.tick()
    assert ends(stage) == (22, 22)
    assert world.one(looks) != first
