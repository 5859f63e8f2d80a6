"""`store/told.py`: who was told of one connection."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import text

from refresher.notify import watch
from refresher.store import told
from tests.store.news import answer
from tests.world import World, refused

SQL = """
    insert into webhook_endpoint (id, organization_id, url, events, secret) values
        (:own, 'org', 'https://hooks.example.org/a?key=x', '{*}', ''),
        (:theirs, null, 'https://ops.example.org', '{*}', '');
    insert into webhook_delivery
            (endpoint_id, event_id, subject, sequence, state, http_status, ended_at)
        select e.id, o.id, o.connection_id::text, 1, 3, 204, refresher_now()
        from webhook_endpoint e, outbox o where o.id = :event;
    insert into recipient (id, organization_id, address) values
        (:ann, 'org', 'ann@example.org'), (:bob, 'org', 'bob@example.org'), (:ops, '', 'o@example.org');
    insert into mail (id, recipient_id, form, state, due_at, reason, ended_at) values
        (:mail, :ann, 'plain', 2, refresher_now(), null, refresher_now());
    insert into mail_entry (recipient_id, outbox_id, mail_id, delivered_at) values
        (:ann, :event, :mail, refresher_now()), (:bob, :event, null, null), (:ops, :event, null, null);
    """


def notice(world: World, id_: UUID) -> UUID:
    """Has a connection need a person, and returns the event that tells so."""
    answer(world, refused("invalid_grant"))
    world.tick()
    watch.tell(world.services)
    (event,) = world.rows(f"select id from outbox where connection_id = '{id_}'")
    event_id: UUID = event.id
    return event_id


def test_each_notice_is_told_with_what_became_of_it(world: World) -> None:
    """Messages one by one, mails by whose recipients and in which state; another's are not named."""
    id_ = world.connect(expires_in=0)
    event = notice(world, id_)
    names = ("own", "theirs", "ann", "bob", "ops", "mail")
    values = {name: uuid4() for name in names} | {"event": event}
    with world.services.database.transaction() as db:
        for statement in SQL.split(";\n"):
            if statement.strip():
                db.execute(text(statement), values)
        (of_all,) = told.told_about(db, [id_])
        (of_one,) = told.told_about(db, [id_, uuid4()], "org")
    assert of_all.notice.kind == "connection.reconnect_required"
    assert {m.endpoint_id for m in of_all.messages} == {values["own"], values["theirs"]}
    assert [(m.url, m.state, m.http_status) for m in of_one.messages] == [
        ("https://hooks.example.org/a?key=x", "delivered", 204)
    ]
    assert [(m.organization_id, m.state, m.count) for m in of_all.mails] == [
        ("", "digest", 1),
        ("org", "digest", 1),
        ("org", "sent", 1),
    ]
    assert {m.organization_id for m in of_one.mails} == {"org"}


def test_of_what_nobody_was_told_there_is_nothing(world: World) -> None:
    """A connection that is well has no notice."""
    with world.services.database.transaction() as db:
        assert told.told_about(db, [world.connect()]) == []
