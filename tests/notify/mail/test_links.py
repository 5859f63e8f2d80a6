"""The way back in mails: a link that reconnects, the same in each try, made anew only on demand."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from refresher.notify import mail_links
from refresher.rules.connect import Flow, Kind, Session, hashed
from refresher.rules.consent import Consent, Identity
from refresher.runtime.services import Services
from refresher.store import connect
from tests.notify.mail.kit import Inbox, add, break_connections, post
from tests.ports import LOOPBACK
from tests.world import World

URL = "https://refresher.example"
LINK = re.compile(re.escape(URL) + r"/connect/([A-Za-z0-9_-]{43})")


@pytest.fixture
def world(database_url: str, inbox: Inbox) -> Iterator[World]:
    """Mails without a page of anybody's, at a provider where people can connect."""
    made = World(
        database_url,
        mail_transport="smtp",
        mail_smtp_url=f"smtp://{LOOPBACK}:{inbox.port}?starttls=never",
        mail_from="Acme <no-reply@acme.example>",
        mail_spacing_seconds=0,
        public_url=URL,
    )
    made.describe(
        "acme",
        connect=Consent(identity=Identity(found_in=("id_token",), paths=(("sub",),))),
        authorize_url="https://acme.example/authorize",
    )
    add(made, "ann@acme.example")
    yield made
    made.close()


def break_known(world: World, account: str | None = "a-1") -> None:
    """Has a connection need its person, whose account is known or not."""
    world.connect("1042")
    world.run("update connection set account = :account", account=account)
    break_connections(world, "1042")


def links_in(inbox: Inbox) -> list[str]:
    """The links of all mails, each once."""
    texts = [mail.get_body(["plain"]).get_content() for mail in inbox.mails]  # type: ignore[union-attr]
    return [found[1] for text in texts for found in LINK.finditer(text)]


def session_of(services: Services, link: str) -> Session:
    """The session that a link leads to."""
    with services.database.transaction() as db:
        found = connect.by_link(db, hashed(link))
    assert found is not None
    return found


def stored(world: World) -> str:
    """Returns every row of every table as text."""
    tables = [name for (name,) in world.rows("select relname from pg_stat_user_tables")]
    rows = [world.rows(f'select t::text from "{name}" t') for name in tables]
    return "\n".join([*tables, *(str(row[0]) for found in rows for row in found)])


def test_a_mail_has_a_link_that_reconnects(
    world: World, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is made with the mail, lasts a week, and is told by nothing but the mail."""
    break_known(world)
    assert post(world) == ["sent"]
    (link,) = links_in(inbox)
    session = session_of(world.services, link)
    assert (session.kind, session.flow) == (Kind.RECONNECT, Flow.LINK)
    assert session.expires_at - session.created_at == timedelta(days=7)
    logged = capfd.readouterr()
    assert link not in "".join([stored(world), logged.out, logged.err])
    (noted,) = world.rows("select * from audit where action = 'connect_session_made'")
    assert noted.connection_id == session.connection_id


def test_a_mail_that_goes_again_has_the_same_link(world: World, inbox: Inbox) -> None:
    """A server that put it off, and a key that is new since, change nothing."""
    inbox.data = lambda _mail: "451 later"
    break_known(world)
    assert post(world) == ["due"]
    inbox.data = lambda _mail: "250 taken"
    world.pass_time(60)
    assert post(world) == ["sent"]
    (link,) = links_in(inbox)
    assert session_of(world.services, link).made_by.startswith("by mail:")
    assert world.one("select count(*) from connect_session")[0] == 1


@pytest.mark.parametrize("why", ["account", "setting", "public_url", "entry", "app", "page"])
def test_no_link_where_it_would_lead_nowhere(world: World, inbox: Inbox, why: str) -> None:
    """Without account, entry, app or address nobody could use it; a page of one's own comes first."""
    settings = world.services.settings
    changed: dict[str, dict[str, Any]] = {
        "setting": {"connect_in_mails": False},
        "public_url": {"public_url": None},
        "page": {"reconnect_url": "https://app.example/{external_id}"},
    }
    world.services = replace(
        world.services, settings=settings.model_copy(update=changed.get(why, {}))
    )
    if why == "entry":
        world.describe("acme", connect=None)
    break_known(world, None if why == "account" else "a-1")
    if why == "app":
        world.run("delete from app where provider = 'acme'")
    assert post(world) == ["sent"]
    assert links_in(inbox) == []
    assert world.one("select count(*) from connect_session")[0] == 0


def test_an_ended_link_is_sent_anew_to_its_address_once_in_ten_minutes(
    world: World, inbox: Inbox
) -> None:
    """Whoever has the old one can have a mail sent, to nobody else, and not one after the other."""
    break_known(world)
    post(world)
    (first,) = links_in(inbox)
    assert not mail_links.send_again(world.services, first)
    world.pass_time(8 * 86_400)
    assert mail_links.may_send_again(world.services, first)
    assert mail_links.send_again(world.services, first)
    assert not mail_links.send_again(world.services, first)
    assert post(world) == ["sent"]
    assert [mail["To"] for mail in inbox.mails] == ["ann@acme.example"] * 2
    second = links_in(inbox)[1]
    assert second != first
    assert session_of(world.services, second).expires_at > world.clock.now


def test_a_link_that_came_in_no_mail_is_not_sent(world: World) -> None:
    """Only an address that refresher wrote to itself is ever written to."""
    assert not mail_links.may_send_again(world.services, "x" * 43)
    assert not mail_links.send_again(world.services, "x" * 43)
    id_ = world.connect("1042")
    session = _made_by_hand(world, id_)
    assert not mail_links.may_send_again(world.services, session)


def _made_by_hand(world: World, connection_id: UUID) -> str:
    link = "y" * 43
    world.run(
        "insert into connect_session (id, link_hash, kind, flow, finish, organization_id, provider, "
        "app_name, made_by, connection_id, expires_at) values (gen_random_uuid(), :hash, 'reconnect', "
        "'link', 'page', 'org', 'acme', 'default', 'by cli:ann', :id, refresher_now())",
        hash=hashed(link),
        id=connection_id,
    )
    return link
