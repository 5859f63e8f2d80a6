"""Sessions as they are asked for: what is taken, and the sentence for what is not."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from refresher.connections import connect
from refresher.connections.connect import ConnectRefused, NoSuchSession, Order
from refresher.connections.connect_orders import LONGEST_SECONDS
from refresher.errors import NoSuchConnection, QuotaReached, UnknownProvider
from refresher.rules.access import Actor
from refresher.rules.connect import Finish, Flow, Kind, Outcome, State
from refresher.rules.connection import connection_id
from refresher.store.connect import SessionFilter
from tests.connect.visitor import ANN, PAGE, able, describe, link_of, make
from tests.world import World

CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
OPERATOR = Actor("cli:root")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world in which people can connect."""
    with able(database_url) as world:
        yield world


def audited(world: World) -> list[tuple[str, str]]:
    """Who did what, the oldest first."""
    rows = world.rows("select key_id, action from audit where subject like 'connect_%' order by id")
    return [(row.key_id, row.action) for row in rows]


def test_a_session_for_a_new_account(world: World) -> None:
    """Its connection's id is told at once; the link is in the URL, and nowhere else."""
    made = make(world, external_id="7", scopes=["a"], required_scopes=["b", "a"], for_whom="Ann\n")
    session = made.session
    assert (session.kind, session.state, session.outcome) == (Kind.NEW, State.OPEN, None)
    assert session.connection_id == connection_id("org", "acme", "7")
    assert (session.scopes, session.for_whom) == (["a", "b"], "Ann")
    assert (session.expires_at - session.created_at).total_seconds() == 900
    assert made.url.startswith("https://refresher.example/connect/")
    assert link_of(made) not in repr(made) + repr(session)
    assert world.rows("select 1 from connection") == []
    assert audited(world) == [("cli:ann", "connect_session_made")]


def test_without_a_name_of_its_own_the_account_is_the_name(world: World) -> None:
    """No external_id: which connection it is turns out later."""
    session = make(world).session
    assert (session.external_id, session.connection_id) == (None, None)


def test_where_refreshes_name_the_redirect_uri_again_ours_is_kept(world: World) -> None:
    """A placeholder of the entry that nobody needs to fill in."""
    shape = {"placeholders": {"redirect_uri": "https://[!-~]+"}}
    describe(world, **shape, parameters={"redirect_uri": "{redirect_uri}"})
    ours = "https://refresher.example/connect/callback/acme"
    assert make(world).session.placeholders == {"redirect_uri": ours}
    own = {"redirect_uri": "https://app.example/back"}
    assert make(world, placeholders=own).session.placeholders == own


def test_an_account_that_is_there_is_connected_again(world: World) -> None:
    """By its names, or by its id; with what is stored of it."""
    id_ = world.connect("7", scopes=["read"])
    for given in ({"external_id": "7"}, {"provider": None, "connection_id": id_}):
        session = make(world, **given).session
        assert (session.kind, session.connection_id) == (Kind.RECONNECT, id_)
        assert (session.external_id, session.app_name) == ("7", "default")
    assert len(connect.listed(world.services, SessionFilter(connection_id=id_), ANN)) == 2


def test_a_sibling_leads_to_its_root(world: World) -> None:
    """Who has the grant is who is connected again."""
    root = world.connect("root")
    page = world.connect(
        "page",
        root_external_id="root",
        access_token=None,
        refresh_token=None,
        expires_in=None,
    )
    assert make(world, connection_id=page).session.connection_id == root
    assert make(world, external_id="page").session.external_id == "root"


def test_a_deleted_connection_comes_back_as_a_new_one(world: World) -> None:
    """By its names; by its id there is none."""
    id_ = world.connect("7")
    world.run("update connection set deleted_at = refresher_now()")
    assert make(world, external_id="7").session.kind is Kind.NEW
    with pytest.raises(NoSuchConnection):
        make(world, connection_id=id_)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"provider": "paced"}, "cannot_connect", "authorize_url"),
        ({"provider": None}, "invalid_body", "provider"),
        ({"parameters": {"team": "1"}}, "invalid_body", "takes prompt"),
        ({"return_url": "https://evil.example/"}, "return_url_refused", "return_url is none of"),
        ({"return_url": "com.acme.app:/done"}, "return_url_refused", "application"),
        ({"finish_challenge": CHALLENGE}, "invalid_body", "go together"),
        ({"finish": Finish.APPLICATION}, "invalid_body", "go together"),
        (
            {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE},
            "invalid_body",
            "needs a return_url",
        ),
        ({"expires_in_seconds": 3_601.0}, "invalid_body", "flow redirect"),
        ({"expires_in_seconds": 59.0}, "invalid_body", "60 s to"),
        ({"flow": Flow.LINK, "expires_in_seconds": 31 * 86_400.0}, "invalid_body", "30 days"),
        ({"app": "other"}, "app_missing", "acme/other"),
        ({"placeholders": {"host": "x"}, "host": "evil.example"}, "invalid_body", "host"),
        ({"external_id": "there", "if_exists": "refuse"}, "connection_exists", "exists"),
        ({"external_id": "off"}, "disabled", "disabled"),
        ({"organization_id": "another"}, "organization_mismatch", "another"),
    ],
)
def test_what_is_refused(world: World, given: dict[str, Any], code: str, said: str) -> None:
    """With a code and a sentence; nothing is stored."""
    describe(
        world,
        connect={"parameters": ("prompt",)},
        token_url="https://{host}/token",
        host_pattern=r"[a-z]+\.acme\.example",
        default_host="eu.acme.example",
    )
    world.connect("there")
    world.connect("off")
    world.run("update connection set disabled_at = refresher_now() where external_id = 'off'")
    with pytest.raises(ConnectRefused) as caught:
        make(world, **given)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert world.rows("select 1 from connect_session") == []


def test_who_asks_for_what_is_not_theirs(world: World) -> None:
    """An unknown provider, somebody else's connection, an organization that nobody names."""
    theirs = world.connect("7", organization_id="org-2")
    with pytest.raises(UnknownProvider):
        make(world, provider="nobody")
    for id_ in (theirs, uuid4()):
        with pytest.raises(NoSuchConnection):
            make(world, connection_id=id_)
    wrong = Order(connection_id=theirs, organization_id="org")
    with pytest.raises(NoSuchConnection):
        connect.make(world.services, wrong, OPERATOR)
    with pytest.raises(ConnectRefused, match="organization_id is missing"):
        connect.make(world.services, Order(provider="acme"), OPERATOR)
    wrong = Order(provider="paced", connection_id=theirs)
    with pytest.raises(ConnectRefused, match="one of acme"):
        connect.make(world.services, wrong, OPERATOR)
    made = connect.make(world.services, Order(connection_id=theirs), OPERATOR)
    assert made.session.organization_id == "org-2"
    with pytest.raises(NoSuchSession):
        connect.find(world.services, made.session.id, ANN)
    with pytest.raises(NoSuchSession):
        connect.cancel(world.services, made.session.id, ANN)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"public_url": None}, "public_url_missing"),
        ({"public_url": "http://refresher.example"}, "public_url_missing"),
        ({"connect": False}, "connect_disabled"),
    ],
)
def test_an_installation_that_cannot(
    database_url: str, settings: dict[str, object], code: str
) -> None:
    """Without a way back nobody leaves."""
    with able(database_url, **settings) as world, pytest.raises(ConnectRefused) as caught:
        make(world)
    assert caught.value.code == code


def test_a_provider_with_a_rule_for_redirect_uris(database_url: str) -> None:
    """Slack takes https alone."""
    with able(database_url, public_url="http://127.0.0.1:8080") as world:
        make(world)
        describe(world, connect={"redirect_rule": "https"})
        with pytest.raises(ConnectRefused) as caught:
            make(world)
    assert caught.value.code == "redirect_uri_refused"


def test_an_organization_has_a_quota_of_open_sessions(database_url: str) -> None:
    """What has ended does not count."""
    with able(database_url, quota_sessions=2) as world:
        first = make(world)
        make(world)
        with pytest.raises(QuotaReached, match="REFRESHER_QUOTA_SESSIONS"):
            make(world)
        connect.make(world.services, Order(provider="acme", organization_id="org-2"), OPERATOR)
        connect.cancel(world.services, first.session.id, ANN)
        make(world)


def test_a_session_is_cancelled(world: World) -> None:
    """Once; who cancels it again sees how it ended."""
    made = make(world, flow=Flow.LINK)
    assert (made.session.expires_at - made.session.created_at).total_seconds() == 86_400
    for _ in range(2):
        ended = connect.cancel(world.services, made.session.id, ANN)
        assert (ended.state, ended.outcome) == (State.ENDED, Outcome.CANCELLED)
    assert [action for _, action in audited(world)] == [
        "connect_session_made",
        "connect_session_cancelled",
    ]


def test_an_organization_s_own_page_within_the_operator_s_origins(world: World) -> None:
    """Its list is stored with it."""
    own = "https://app.example/orgs/org"
    with pytest.raises(ConnectRefused):
        make(world, return_url=own)
    world.run("insert into organization (id, return_urls) values ('org', :urls)", urls=[own])
    assert make(world, return_url=f"{own}?tab=1").session.return_url == f"{own}?tab=1"
    assert make(world, return_url=PAGE).session.return_url == PAGE
    assert LONGEST_SECONDS[Flow.REDIRECT] == 3_600
