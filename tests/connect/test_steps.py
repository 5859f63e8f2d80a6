"""How sessions go on and end: the application's word, what is due, overdue and forgotten."""

from refresher.rules.connect import (
    EXCHANGE_SECONDS,
    HELD_SECONDS,
    Finish,
    Outcome,
    Result,
    hashed,
)
from refresher.store import connect, connect_attempts, connect_steps
from tests.connect.sessions import begin, exchange, hold, make, now
from tests.world import World


def ended(world: World) -> list[dict[str, object]]:
    """What was told of sessions."""
    rows = world.rows("select payload from outbox where kind = 'connect.ended' order by id")
    return [row.payload for row in rows]


def test_the_application_has_its_word_once(world: World) -> None:
    """A code is given out only when all else is done, and is worth nothing after the word."""
    session = make(world, finish=Finish.APPLICATION)
    attempt = exchange(world, session)
    assert hold(world, session, attempt)
    code = hashed("code")
    with world.services.database.transaction() as db:
        assert not connect_steps.give_code(db, session.id, code)
        assert connect_steps.ready(db, session.id, Result(account_label="ann@acme.example"))
        assert connect_steps.give_code(db, session.id, code)
    assert now(world, session).finish_code_hash == code
    with world.services.database.transaction() as db:
        assert connect_steps.confirm(db, session.id)
        assert not connect_steps.confirm(db, session.id)
        assert not connect_steps.give_code(db, session.id, code)
    told = now(world, session).result
    assert told is not None
    assert (told.account_label, told.missing_scopes) == ("ann@acme.example", [])


def test_what_is_held_is_due_until_it_waits_for_the_application(world: World) -> None:
    """Whoever stored it has a while for it alone."""
    page, application = make(world), make(world, finish=Finish.APPLICATION)
    for session in (page, application):
        assert hold(world, session, exchange(world, session))
    with world.services.database.transaction() as db:
        assert connect_steps.due_for_advance(db) == []
    world.pass_time(11)
    with world.services.database.transaction() as db:
        assert set(connect_steps.due_for_advance(db)) == {page.id, application.id}
        assert connect_steps.ready(db, application.id, Result())
        assert connect_steps.due_for_advance(db) == [page.id]
        assert connect_steps.confirm(db, application.id)
        assert len(connect_steps.due_for_advance(db)) == 2


def test_what_does_not_go_on_by_itself_is_overdue(world: World) -> None:
    """A code without an answer, an answer without an end, and a key that was revoked."""
    sending, holding, revoked, fine = (make(world) for _ in range(4))
    exchange(world, sending)
    assert hold(world, holding, exchange(world, holding))
    world.run(
        "insert into api_key (id, name, scopes, secret_hash, revoked_at) values ('k', 'k', '{}', "
        "decode(repeat('00', 32), 'hex'), refresher_now())"
    )
    world.run("update connect_session set key_id = 'k' where id = :id", id=revoked.id)
    with world.services.database.transaction() as db:
        assert connect_steps.overdue(db) == [revoked.id]
    world.pass_time(EXCHANGE_SECONDS)
    with world.services.database.transaction() as db:
        assert set(connect_steps.overdue(db)) == {revoked.id, sending.id}
    world.pass_time(HELD_SECONDS - EXCHANGE_SECONDS)
    with world.services.database.transaction() as db:
        assert set(connect_steps.overdue(db)) == {revoked.id, sending.id, holding.id}
        assert fine.id not in connect_steps.overdue(db)


def test_other_connections_of_the_account_are_named(world: World) -> None:
    """Those of the same organization that live: each consent may end the other's grant."""
    one, two, gone, other = (world.connect(name) for name in ("1", "2", "3", "4"))
    theirs = world.connect("1", organization_id="org-2")
    world.run("update connection set account = '7' where id <> :other", other=other)
    world.run("update connection set deleted_at = refresher_now() where id = :gone", gone=gone)
    session = make(world, one, organization_id="org")
    result = Result(account="7")
    with world.services.database.transaction() as db:
        connect_steps.end(db, session.id, Outcome.CONNECTED, connection_id=one, result=result)
    told = now(world, session).result
    assert told is not None
    assert told.also_connected_as == [str(two)]
    assert str(theirs) not in told.also_connected_as


def test_old_ones_are_forgotten(world: World) -> None:
    """Attempts after a day, sessions thirty days after their end, an open one never."""
    id_ = world.connect()
    session, open_one = make(world), make(world)
    begin(world, session)
    begin(world, open_one)
    with world.services.database.transaction() as db:
        result = Result(account="1", granted_scopes=["read"])
        assert connect_steps.end(
            db, session.id, Outcome.CONNECTED, connection_id=id_, result=result
        )
        assert connect_attempts.forget_old(db) == 0
    world.pass_time(86_400 + 901)
    with world.services.database.transaction() as db:
        assert connect_attempts.forget_old(db) == 2
        assert connect_steps.forget_old(db) == 0
    world.pass_time(29 * 86_400)
    with world.services.database.transaction() as db:
        assert connect_steps.forget_old(db) == 1
        assert connect.find(db, session.id) is None
        assert connect.find(db, open_one.id) is not None
    assert ended(world) == []
