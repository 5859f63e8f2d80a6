"""Mail servers that fail: nothing is lost, nothing is tried for ever that cannot work."""

from dataclasses import replace

import pytest

from refresher.notify import delivery
from refresher.notify.mail_channel import MAIL
from refresher.store import mails
from tests.notify.mail.kit import (
    Inbox,
    add,
    break_connections,
    claim,
    deliver,
    plan,
    post,
    smtp_server,
)
from tests.ports import LOOPBACK
from tests.world import World

DAY = 86_400.0


def refuse(answer: str, address: str) -> object:
    """Returns a script that answers this to one address, and takes the others."""
    return lambda given: answer if given == address else "250 ok"


def test_a_mail_server_that_is_away_for_a_day_costs_a_day(mailing_world: World) -> None:
    """All is delivered after, in simulated time; meanwhile one mail asks at a time."""
    # Given a server that has gone, and mails for it
    world = mailing_world
    port = int(str(world.services.mailer._server.port))  # type: ignore[attr-defined]
    add(world, "ann@acme.example")
    with smtp_server(Inbox()) as elsewhere:
        world.services.mailer._server = _moved(world, elsewhere.port)  # type: ignore[attr-defined]
    break_connections(world, "c1", "c2", "c3")
    # When a day passes
    attempts, passed = 0, 0.0
    while passed < DAY:
        attempts += len(post(world))
        world.pass_time(3_600)
        passed += 3_600
    # Then nothing is lost and nobody was stormed
    assert attempts == 24
    with world.services.database.transaction() as db:
        standing = mails.standing(db)
    assert (standing.due, standing.failed) == (3, 0)
    assert standing.reason is not None
    assert LOOPBACK in standing.reason
    # And it all arrives when the server is back
    with smtp_server(Inbox()) as back:
        world.services.mailer._server = _moved(world, back.port)  # type: ignore[attr-defined]
        assert post(world) == ["sent"] * 3
        world.services.mailer.close()
    assert len(set(back.ids)) == 3
    assert port != back.port


def _moved(world: World, port: int) -> object:
    return replace(world.services.mailer._server, port=port)  # type: ignore[attr-defined]


def test_an_address_that_does_not_exist_is_marked(mailing_world: World, inbox: Inbox) -> None:
    """It is told to nobody for ever again, until somebody adds it anew; others do not wait."""
    inbox.recipient = refuse("550 5.1.1 no such user", "gone@acme.example")  # type: ignore[assignment]
    add(mailing_world, "ann@acme.example")
    add(mailing_world, "gone@acme.example")
    break_connections(mailing_world, "c1")
    assert sorted(post(mailing_world)) == ["failed", "sent"]
    blocked = mailing_world.one("select * from recipient where blocked_at is not null")
    assert (blocked.address, blocked.blocked_reason) == (
        "gone@acme.example", "550 5.1.1 no such user",
    )  # fmt: skip
    mailing_world.pass_time(DAY)
    break_connections(mailing_world, "c2")
    assert post(mailing_world) == ["sent"]
    inbox.recipient = lambda _address: "250 ok"
    add(mailing_world, "gone@acme.example")
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects[-1] == "Reconnect Acme: c1", "what it had missed"


def test_a_mail_that_is_deferred_is_tried_for_days_and_then_given_up(
    mailing_world: World, inbox: Inbox
) -> None:
    """A full mailbox is retried with growing waits; after four days it is told, not tried."""
    inbox.recipient = lambda _address: "452 4.2.2 mailbox full"
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    tries = 0
    for _ in range(5 * 12):
        tries += len(post(mailing_world))
        mailing_world.pass_time(7_200)
    assert 40 < tries < 50
    assert mailing_world.one("select state, reason from mail")[:] == (
        3, "given up: 452 4.2.2 mailbox full",
    )  # fmt: skip


@pytest.mark.parametrize("answer", ["554 5.7.1 relay access denied", "450 4.7.0 greylisted"])
def test_a_policy_is_not_the_address_s_fault(
    mailing_world: World, inbox: Inbox, answer: str
) -> None:
    """A server that does not relay for us yet blocks nobody; the mail goes when it does."""
    inbox.recipient = lambda _address: answer
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    assert post(mailing_world) == ["due"]
    inbox.recipient = lambda _address: "250 ok"
    mailing_world.pass_time(31)
    assert post(mailing_world) == ["sent"]


def test_a_mail_whose_worker_vanished_goes_again_as_the_same(
    mailing_world: World, inbox: Inbox
) -> None:
    """A lease that ends without an outcome is swept, begun or not; a late message is stale."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    plan(mailing_world)
    lost = claim(mailing_world)
    assert post(mailing_world) == []
    mailing_world.pass_time(121)
    assert post(mailing_world) == ["sent"]
    assert deliver(mailing_world, lost[0]) == "stale"
    assert len(inbox.mails) == 1


def test_a_clean_stop_gives_back_what_was_not_begun(mailing_world: World, inbox: Inbox) -> None:
    """The next process sends it at once, not after the lease."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    plan(mailing_world)
    claim(mailing_world)
    assert delivery.give_back_unbegun(mailing_world.services, MAIL) == 1
    assert post(mailing_world) == ["sent"]
