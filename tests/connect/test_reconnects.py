"""The link that one click on a broken connection makes."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from refresher.connections import reconnects
from refresher.connections.connect import ConnectRefused
from refresher.connections.lifecycle import disable
from refresher.errors import NoSuchConnection
from refresher.rules.access import Actor
from refresher.rules.ways_back import ByPage, ByProgram, BySession
from refresher.store import recipients
from tests.connect.visitor import able
from tests.world import World

SUPPORT = Actor("cli:support")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world in which people can connect."""
    with able(database_url) as world:
        yield world


def test_a_connect_session_for_the_account(world: World) -> None:
    """It lasts a day, is of the grant's owner, and stands in the audit; the link in no `repr`."""
    root = world.connect("root")
    page = world.connect("page", root_external_id="root", access_token=None, refresh_token=None)
    found = reconnects.look(world.services, page, SUPPORT)
    assert (found.way, found.target.id) == (BySession(), root)
    assert world.rows("select 1 from connect_session") == []
    link = reconnects.make(world.services, page, SUPPORT)
    assert link.url.startswith("https://refresher.example/connect/")
    assert link.url not in repr(link)
    session = world.one(
        "select id, connection_id, kind, flow, expires_at - created_at as life from connect_session"
    )
    assert (session.id, session.connection_id) == (link.session_id, root)
    assert (session.kind, session.flow, session.life.total_seconds()) == (
        "reconnect",
        "link",
        86_400,
    )


def test_where_nobody_can_connect_the_organizations_own_page_is_it(world: World) -> None:
    """Filled in with the connection's names; without one, a resume link for programs."""
    world.describe("acme", connect=None)
    id_ = world.connect("7")
    link = reconnects.make(world.services, id_, SUPPORT)
    assert isinstance(link.way, ByProgram)
    assert "no [connect]" in link.way.why_not
    assert link.url.startswith("https://refresher.example/v1/resume/")
    assert link.expires_at is not None
    with world.services.database.transaction() as db:
        url = "https://app.example/{provider}/{external_id}"
        recipients.set_organization(db, "org", {"reconnect_url": url})
    link = reconnects.make(world.services, id_, SUPPORT)
    assert isinstance(link.way, ByPage)
    assert (link.url, link.expires_at) == ("https://app.example/acme/7", None)


def test_who_gets_no_link(world: World) -> None:
    """A connection that is unknown, of another organization, of no provider here, or disabled."""
    id_, stray = world.connect("7"), world.connect("8", provider="meta")
    for wrong, by in ((uuid4(), SUPPORT), (id_, Actor("k", "other"))):
        with pytest.raises(NoSuchConnection):
            reconnects.look(world.services, wrong, by)
    world.run("update connection set provider = 'gone' where id = :id", id=stray)
    assert isinstance(reconnects.look(world.services, stray, SUPPORT).way, ByProgram)
    disable(world.services.database, SUPPORT, id_)
    with pytest.raises(ConnectRefused, match="enable it first"):
        reconnects.make(world.services, id_, SUPPORT)
