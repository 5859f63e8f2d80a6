"""What nobody goes on with, the scheduler does: answers that are held, codes without one, old links."""

from collections.abc import Iterator
from typing import Any

import pytest

from refresher.connections import connect, connect_sweep
from refresher.connections.connect import ConnectRefused
from refresher.connections.visits import Confirm, Connected, Failed, SendCode
from refresher.rules.connect import Finish, Outcome, Problem, Session, State
from refresher.rules.connection import Reply
from refresher.rules.held import Held
from refresher.store import connect_steps
from tests.connect.visitor import ANN, PAGE, Visitor, able, make
from tests.world import World, granted

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
PAIR = {"access_token": "at-1", "refresh_token": "rt-1", "expires_in": 3600, "user_id": "u1"}


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world in which people can connect."""
    with able(database_url) as world:
        yield world


def keep(world: World, sent: object, reply: Reply | None = None) -> None:
    """Has the answer to a code be held, by a process that dies right after it."""
    assert isinstance(sent, SendCode)
    held = Held(first=reply or granted(**PAIR), asked=tuple(sent.attempt.scopes))
    sealed = world.services.cipher.seal(held.text(), sent.session_id, "held")
    with world.services.database.transaction() as db:
        assert connect_steps.hold(db, sent.session_id, sent.attempt.id, sealed)


def now(world: World, made: connect.Made) -> Session:
    """Returns the session as it is stored."""
    return connect.find(world.services, made.session.id, ANN)


def look(world: World, seconds: float = 0.0) -> None:
    """Lets time pass, and has the job look."""
    world.pass_time(seconds)
    connect_sweep.look(world.services)


def test_a_held_answer_comes_to_its_connection_without_the_browser(world: World) -> None:
    """In the third case of a crash; the page shows it whenever somebody looks (T16)."""
    made, ann = make(world, external_id="7"), Visitor(world)
    keep(world, ann.back(ann.leave(made)))
    look(world)
    assert now(world, made).state is State.HELD
    look(world, 11)
    after = now(world, made)
    assert (after.outcome, after.held) == (Outcome.CONNECTED, None)
    assert after.connection_id is not None
    assert world.token(after.connection_id) == "at-1"
    assert isinstance(ann.result(made), Connected)


def test_a_code_without_an_answer_holds_nothing_back_for_long(world: World) -> None:
    """After a minute the person may begin again; the connection is as it was."""
    id_ = world.connect("7")
    made, ann = make(world, connection_id=id_), Visitor(world)
    ann.back(ann.leave(made))
    flag = "select in_between_steps as it from connection"
    assert world.one(flag).it
    look(world, 59)
    assert world.one(flag).it
    world.run("update refresh_schedule set state = 2, parked_reason = 'mid_oauth'")
    look(world, 1)
    assert not world.one(flag).it
    assert world.row(id_).state == 0
    failed = ann.result(made)
    assert isinstance(failed, Failed)
    assert (failed.trouble.code, failed.may_retry) == (Problem.OUTCOME_UNKNOWN, True)
    assert world.token(id_) == "access-of-7"


def test_what_the_application_does_not_confirm_is_erased(world: World) -> None:
    """Ten minutes it waits; the link leads nowhere by then, so the session is over."""
    given = {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE, "return_url": PAGE}
    made, ann = make(world, **given), Visitor(world)
    keep(world, ann.back(ann.leave(made)))
    look(world, 11)
    assert now(world, made).ready_at is not None
    assert isinstance(ann.result(made), Confirm)
    look(world, 600)
    after = now(world, made)
    assert (after.state, after.held) == (State.OPEN, None)
    assert after.trouble is not None
    assert after.trouble.code is Problem.NOT_CONFIRMED
    look(world, 300)
    assert now(world, made).outcome is Outcome.EXPIRED
    assert world.rows("select 1 from connection") == []


def test_what_the_application_confirms_is_connected_at_once(world: World) -> None:
    """In `complete` itself, with the id of the account for a name; another's word counts nothing."""
    given = {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE, "return_url": PAGE}
    made, ann = make(world, **given), Visitor(world)
    keep(world, ann.back(ann.leave(made)))
    look(world, 11)
    view = ann.result(made)
    assert isinstance(view, Confirm)
    code = view.return_url.rpartition("connect_code=")[2]
    after = connect.complete(world.services, made.session.id, code, VERIFIER, ANN)
    assert after.outcome is Outcome.CONNECTED
    with pytest.raises(ConnectRefused, match="it is ended"):
        connect.complete(world.services, made.session.id, code, VERIFIER, ANN)
    row = world.one("select external_id, account from connection")
    assert row.external_id == "u1"
    told = ann.result(made)
    assert isinstance(told, Connected)
    assert "connect_status=connected" in (told.return_url or "")


def test_a_right_that_ends_while_the_application_is_asked(world: World) -> None:
    """Looked at again in the promotion: nothing is stored, and what was held is gone (C11)."""
    id_ = world.connect("7")
    given = {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE, "return_url": PAGE}
    made, ann = make(world, connection_id=id_, **given), Visitor(world)
    keep(world, ann.back(ann.leave(made)))
    look(world, 11)
    view = ann.result(made)
    assert isinstance(view, Confirm)
    world.run("update connection set disabled_at = refresher_now()")
    code = view.return_url.rpartition("connect_code=")[2]
    after = connect.complete(world.services, made.session.id, code, VERIFIER, ANN)
    assert (after.outcome, after.held) == (Outcome.CANCELLED, None)
    assert after.trouble is not None
    assert after.trouble.code is Problem.RIGHT_ENDED
    assert world.token(id_) == "access-of-7"


def test_links_end_by_themselves(world: World) -> None:
    """By time, with an entry in the outbox; and with the key that made them, at once."""
    late, revoked = make(world, external_id="1"), make(world, external_id="2")
    world.run(
        "insert into api_key (id, name, scopes, secret_hash, revoked_at) values ('k', 'k', '{}', "
        "decode(repeat('00', 32), 'hex'), refresher_now())"
    )
    world.run("update connect_session set key_id = 'k' where id = :id", id=revoked.session.id)
    look(world)
    assert now(world, revoked).outcome is Outcome.CANCELLED
    assert now(world, late).state is State.OPEN
    look(world, 900)
    assert now(world, late).outcome is Outcome.EXPIRED
    rows = world.rows("select payload from outbox where kind = 'connect.ended' order by id")
    told: list[dict[str, Any]] = [row.payload for row in rows]
    assert [(one["outcome"], one["problem"]) for one in told] == [
        ("cancelled", "right_ended"),
        ("expired", "expired"),
    ]
    assert not connect_sweep.overtake(world.services, late.session.id)


def test_one_that_cannot_go_on_stops_no_other(world: World) -> None:
    """A seal that no key opens; the next one is connected all the same."""
    made, other = make(world, external_id="1"), make(world, external_id="2")
    ann = Visitor(world)
    for one in (made, other):
        keep(world, ann.back(ann.leave(one)))
    world.run(
        "update connect_session set held = decode(repeat('00', 40), 'hex') where id = :id",
        id=made.session.id,
    )
    look(world, 11)
    assert now(world, other).outcome is Outcome.CONNECTED
    assert now(world, made).outcome is not Outcome.CONNECTED


def test_old_ones_are_forgotten(world: World) -> None:
    """By the tidy job."""
    made = make(world)
    Visitor(world).leave(made)
    connect.cancel(world.services, made.session.id, ANN)
    world.pass_time(31 * 86_400)
    connect_sweep.forget_old(world.services)
    assert world.rows("select 1 from connect_session") == []
    assert world.rows("select 1 from connect_attempt") == []
