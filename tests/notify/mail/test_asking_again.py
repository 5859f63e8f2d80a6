"""A mail tells how things stand when it leaves, not how they stood when it was planned."""

from uuid import UUID

from refresher.notify import watch
from refresher.store import state_changes
from tests.notify.mail.kit import (
    Inbox,
    add,
    break_connections,
    claim,
    deliver,
    digest,
    heal,
    outage,
    plan,
    post,
)
from tests.world import World, refused

DIGEST = {"reconnect_required": "digest", "refresh_delayed": "digest", "recovered": "digest"}


def delay(world: World, name: str = "c1") -> UUID:
    """Connects one whose token expires while its provider fails, and has that told."""
    id_ = world.connect(name, expires_in=0)
    outage(world)
    world.tick()
    watch.tell(world.services)
    return id_


def end_grant(world: World) -> None:
    """Has the provider end the grants of all that is due."""
    world.script.answer = lambda _request: refused("invalid_grant")
    world.pass_time(3_600)
    world.tick()


def text_of(inbox: Inbox, number: int = -1) -> str:
    """Returns the words of one mail that arrived."""
    part = inbox.mails[number].get_body(["plain"])
    assert part is not None
    return str(part.get_content())


def test_who_must_reconnect_is_not_told_to_wait(mailing_world: World, inbox: Inbox) -> None:
    """A delay that ended in a dead grant is a reconnect in the digest, and nothing else."""
    add(mailing_world, "ann@acme.example", **DIGEST)
    delay(mailing_world)
    end_grant(mailing_world)
    digest(mailing_world)
    assert post(mailing_world) == ["sent"]
    assert "To be reconnected (1)" in text_of(inbox)
    assert "Waiting for the provider" not in text_of(inbox)


def test_who_broke_again_is_not_called_working(mailing_world: World, inbox: Inbox) -> None:
    """A recovery that is over when the digest leaves is not told: there is something left to do."""
    add(mailing_world, "ann@acme.example", reconnect_required="immediate")
    break_connections(mailing_world, "c1")
    assert post(mailing_world) == ["sent"]
    heal(mailing_world)
    mailing_world.connect("c1", expires_in=60)
    digest(mailing_world)
    end_grant(mailing_world)
    done = post(mailing_world)
    assert "over" in done
    assert not any("Working again" in mail.as_string() for mail in inbox.mails)
    assert inbox.subjects.count("Reconnect Acme: c1") == len(inbox.mails)


def test_a_plain_mail_is_asked_again_too(mailing_world: World, inbox: Inbox) -> None:
    """Who reconnected before the mail left hears nothing, and no mail row is left behind."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    plan(mailing_world)
    heal(mailing_world)
    mailing_world.connect("c1")
    assert post(mailing_world) == ["over"]
    assert inbox.mails == []
    assert mailing_world.one("select count(*) as n from mail").n == 0


def test_a_digest_loses_only_what_is_over(mailing_world: World, inbox: Inbox) -> None:
    """Of two connections that broke the one that was deleted is not told, the other is."""
    add(mailing_world, "ann@acme.example", **DIGEST)
    break_connections(mailing_world, "gone", "left")
    digest(mailing_world)
    gone = mailing_world.one("select id from connection where external_id = 'gone'").id
    with mailing_world.services.database.transaction() as db:
        state_changes.stop(db, gone, "deleted")
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects == ["1 connection must be reconnected"]
    assert "left" in text_of(inbox)
    assert "gone" not in text_of(inbox)


def test_trouble_that_flaps_is_not_lost(mailing_world: World, inbox: Inbox) -> None:
    """What is over while its recovery is still held back joins the next digest if it comes back."""
    add(mailing_world, "ann@acme.example", recovered="none", reconnect_required="digest")
    break_connections(mailing_world, "c1")
    heal(mailing_world)
    mailing_world.connect("c1", expires_in=0)  # told: well again
    mailing_world.script.answer = lambda _request: refused("invalid_grant")
    mailing_world.pass_time(301)
    mailing_world.tick()  # told: broken again
    heal(mailing_world)
    mailing_world.run("update notice set recovery_told_at = refresher_now()")
    mailing_world.connect("c1", expires_in=0)  # well, held back
    digest(mailing_world)
    assert post(mailing_world) == ["over"]
    mailing_world.script.answer = lambda _request: refused("invalid_grant")
    mailing_world.tick()  # broken as it was told: nothing is told anew
    digest(mailing_world)
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects == ["1 connection must be reconnected"]


def test_a_second_worker_finds_nothing_of_a_mail_that_is_over(mailing_world: World) -> None:
    """The message of a mail that was deleted is a stale one."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1")
    plan(mailing_world)
    heal(mailing_world)
    mailing_world.connect("c1")
    given = claim(mailing_world)
    assert deliver(mailing_world, given[0]) == "over"
    assert deliver(mailing_world, given[0]) == "stale"
