"""From news to inbox, against a real Postgres and a real SMTP server."""

from itertools import pairwise

from sqlalchemy import event

from refresher.connections import registration
from refresher.refresh.steps import refresh
from refresher.rules.registration import read
from refresher.store import recipients
from tests.notify.mail.kit import (
    Inbox,
    add,
    break_connections,
    claim,
    deliver,
    digest,
    dispatch,
    heal,
    outage,
    plan,
    post,
)
from tests.world import World, refused


def break_many(world: World, count: int, *, organizations: int = 1) -> None:
    """Breaks many connections in one go, of one organization or of as many."""
    fields = {"provider": "acme", "refresh_token": "r", "expires_in": 0}
    chunk = [
        read({**fields, "organization_id": f"org-{n % organizations}", "external_id": f"c{n}"})
        for n in range(count)
    ]
    assert registration.take(world.services, chunk).created == count
    world.script.answer = lambda _request: refused("invalid_grant")
    refresh(world.services, world.claim())


def states(world: World) -> list[int]:
    """The states of all mails, in the order in which they were made."""
    return [row.state for row in world.rows("select state from mail order by id")]


def test_a_broken_connection_is_mailed_once_with_a_link(mailing_world: World, inbox: Inbox) -> None:
    """Who looks after it hears at once how to mend it, in text and in HTML."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "1042", name="Ann's calendar")
    assert post(mailing_world) == ["sent"]
    assert post(mailing_world) == []
    (mail,) = inbox.mails
    assert mail["Subject"] == "Reconnect Acme: “Ann's calendar”"
    assert mail["To"] == "ann@acme.example"
    assert mail["From"] == "Acme connections <no-reply@acme.example>"
    assert mail["List-Unsubscribe"].startswith("<mailto:no-reply@acme.example?subject=unsubscribe")
    assert mail["Message-ID"].endswith("@acme.example>")
    text, html = (mail.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert "https://app.example/connections/1042/reconnect" in part
        assert "Ann" in part
        assert "invalid_grant" in part


def test_a_recovery_waits_for_the_digest(mailing_world: World, inbox: Inbox) -> None:
    """Good news are no reason to interrupt anybody: they come together, and each once."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "1042")
    post(mailing_world)
    heal(mailing_world)
    mailing_world.connect("1042")
    assert post(mailing_world) == []
    assert digest(mailing_world) == 1
    assert post(mailing_world) == ["sent"]
    assert digest(mailing_world) == 0
    assert "Working again (1)" in inbox.mails[1].as_string()


def test_each_hears_of_what_it_chose(mailing_world: World, inbox: Inbox) -> None:
    """Immediate, digest or none for each kind; operators hear of apps and of no connection."""
    add(mailing_world, "ann@acme.example")
    add(mailing_world, "bob@acme.example", reconnect_required="none")
    add(mailing_world, "eve@acme.example", reconnect_required="digest")
    add(mailing_world, "else@other.example", "other")
    add(mailing_world, "ops@us.example", None)
    break_connections(mailing_world, "c1")
    post(mailing_world)
    assert [mail["To"] for mail in inbox.mails] == ["ann@acme.example"]
    digest(mailing_world)
    post(mailing_world)
    assert [mail["To"] for mail in inbox.mails[1:]] == ["eve@acme.example"]
    break_connections(mailing_world, "c2", "c3", code="invalid_client")
    post(mailing_world)
    assert [mail["To"] for mail in inbox.mails[2:]] == ["ops@us.example"]
    assert inbox.subjects[2] == "Acme refuses our client (app “default”)"


def test_a_thousand_breaks_are_one_digest(mailing_world: World, inbox: Inbox) -> None:
    """Who chose the digest gets one mail for a thousand connections that broke in one minute."""
    add(mailing_world, "ann@acme.example", "org-0", reconnect_required="digest")
    break_many(mailing_world, 1_000)
    digest(mailing_world)
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects == ["1,000 connections must be reconnected"]
    assert "and 950 more" in inbox.mails[0].as_string()
    assert mailing_world.one(
        "select count(*) as told from mail_entry where delivered_at is not null"
    ).told == 1_000  # fmt: skip


def test_a_storm_of_immediate_mails_becomes_a_digest(mailing_world: World, inbox: Inbox) -> None:
    """Who chose to hear at once gets three mails, and the rest of the storm together."""
    add(mailing_world, "ann@acme.example", "org-0")
    break_many(mailing_world, 40)
    assert post(mailing_world) == ["sent"] * 3
    digest(mailing_world)
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects[3] == "37 connections must be reconnected"


def test_mails_leave_at_the_set_spacing(mailing_world: World, inbox: Inbox) -> None:
    """Fifty organizations, fifty mails: one every 700 ms, whoever asks, and none is forgotten."""
    mailing_world.services.settings.__dict__["mail_spacing_seconds"] = 0.7
    with mailing_world.services.database.transaction() as db:
        for n in range(50):
            recipients.add(db, f"org-{n}", "ann@acme.example", {})
    break_many(mailing_world, 50, organizations=50)
    plan(mailing_world)
    begun = mailing_world.services.database.simulated_now
    assert begun is not None
    sent_at: list[float] = []
    while len(inbox.mails) < 50:
        given, again = dispatch(mailing_world)
        for lease in given:
            assert deliver(mailing_world, lease) == "sent"
            now = mailing_world.services.database.simulated_now
            assert now is not None
            sent_at.append((now - begun).total_seconds())
        mailing_world.pass_time(max(again, 0.01))
    gaps = [b - a for a, b in pairwise(sent_at)]
    assert min(gaps) >= 0.7 - 1e-6
    assert sent_at[-1] < 50 * 0.75


def test_two_workers_cannot_take_one_slot(mailing_world: World, inbox: Inbox) -> None:
    """Who comes to a slot that is taken gives its mail back at once and blocks no thread."""
    mailing_world.services.settings.__dict__["mail_spacing_seconds"] = 0.7
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "c1", "c2")
    plan(mailing_world)
    first = claim(mailing_world)
    mailing_world.run("update mail_slot set next_at = refresher_now() + interval '0.3 seconds'")
    assert deliver(mailing_world, first[0]) == "not yet"
    assert deliver(mailing_world, first[0]) == "stale"
    mailing_world.pass_time(0.31)
    assert post(mailing_world) == ["sent"]
    assert post(mailing_world) == [], "the other one waits for its own slot"
    mailing_world.pass_time(0.71)
    assert post(mailing_world) == ["sent"]
    assert len(inbox.mails) == 2


def test_a_digest_that_fails_keeps_everything(mailing_world: World, inbox: Inbox) -> None:
    """What was in it goes again, as the same mail; what came meanwhile stays for the next one."""
    add(mailing_world, "ann@acme.example", reconnect_required="digest")
    break_connections(mailing_world, "c1", "c2")
    digest(mailing_world)
    inbox.data = lambda _mail: "451 4.3.0 try again later"
    assert post(mailing_world) == ["due"]
    break_connections(mailing_world, "c3")
    assert digest(mailing_world) == 0, "one digest at a time"
    inbox.data = lambda _mail: "250 taken"
    mailing_world.pass_time(31)
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects == ["2 connections must be reconnected"]
    assert digest(mailing_world) == 1
    assert post(mailing_world) == ["sent"]
    assert inbox.subjects[1] == "1 connection must be reconnected"
    assert inbox.ids[0] != inbox.ids[1]


def test_a_connection_that_flaps_is_mailed_as_often_as_it_was_told(
    mailing_world: World, inbox: Inbox
) -> None:
    """Mails are made of notices, which are damped: none beyond them, and none is missing."""
    add(mailing_world, "ann@acme.example", recovered="immediate", refresh_delayed="immediate")
    mailing_world.services.settings.__dict__["mail_burst"] = 100
    mailing_world.connect("c1", expires_in=1)
    for _ in range(20):
        outage(mailing_world)
        mailing_world.run("update refresh_schedule set due_at = refresher_now()")
        mailing_world.pass_time(15)
        mailing_world.tick()
        break_connections(mailing_world, "c1")
        post(mailing_world)
        heal(mailing_world)
        mailing_world.connect("c1", expires_in=1)
        mailing_world.pass_time(15)
        post(mailing_world)
    told = mailing_world.one("select count(*) as n from outbox").n
    assert len(inbox.mails) == told
    assert told <= 6


def test_planning_for_many_organizations_takes_as_few_statements(mailing_world: World) -> None:
    """A provider that breaks a hundred organizations at once must not hold the refreshes up."""
    counted: list[str] = []

    def count(*about: object) -> None:
        counted.append(str(about[2]))

    with mailing_world.services.database.transaction() as db:
        for n in range(100):
            recipients.add(db, f"org-{n}", "ann@acme.example", {})
    break_many(mailing_world, 100, organizations=100)
    event.listen(mailing_world.services.database.engine, "before_cursor_execute", count)
    assert plan(mailing_world) == 100
    assert states(mailing_world) == [0] * 100
    assert len(counted) < 20
