"""A browser with a link: leaves, comes back, and sees what came of it. Nobody sends a code here."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from uuid import uuid4

import pytest

from refresher.connections import connect, visits
from refresher.connections.connect import ConnectRefused
from refresher.connections.visits import (
    Confirm,
    Connected,
    Failed,
    LinkEnded,
    OtherBrowser,
    SendCode,
    ShowPage,
    ShowResult,
    Waiting,
)
from refresher.rules.connect import Finish, Outcome, Problem, Result, State, Trouble
from refresher.rules.connection import Sealed
from refresher.store import connect as store
from refresher.store import connect_attempts, connect_steps
from refresher.store.pool import Pool
from tests.connect.visitor import (
    ANN,
    CHALLENGE,
    PAGE,
    VERIFIER,
    Visitor,
    able,
    describe,
    held,
    link_of,
    make,
    now,
)
from tests.world import World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world in which people can connect."""
    with able(database_url) as world:
        yield world


@pytest.fixture
def ann(world: World) -> Visitor:
    """Ann's browser."""
    return Visitor(world)


def test_looking_changes_nothing(world: World) -> None:
    """Fifty scanners see the page (T7)."""
    made = make(world, scopes=["read"], for_whom="Ann", external_id="7")
    before = now(world, made)
    for _ in range(50):
        view = visits.opened(world.services, link_of(made))
    assert now(world, made) == before
    assert (view.title, view.for_whom, view.is_hop) == ("Acme", "Ann", False)
    assert view.scopes == [("openid", None), ("read", None)]
    assert (view.is_reconnect, view.account, view.asks_host) == (False, None, False)


def test_a_reconnect_says_whose_it_is_and_asks_for_what_was_asked_before(world: World) -> None:
    """The label masked; the union of the scopes."""
    id_ = world.connect("7", scopes=["read"])
    world.run("update connection set account = '1', account_label = 'ann@acme.example'")
    made = make(world, connection_id=id_, scopes=["write"])
    view = visits.opened(world.services, link_of(made))
    assert (view.is_reconnect, view.account) == (True, "a•••@acme.example")
    assert [scope for scope, _ in view.scopes] == ["openid", "read", "write"]


def test_who_leaves_is_sent_with_a_state_and_a_challenge(world: World, ann: Visitor) -> None:
    """What is stored of them are hashes, and the verifier sealed."""
    made = make(world, scopes=["read"])
    asked = ann.leave(made)
    assert asked["redirect_uri"] == "https://refresher.example/connect/callback/acme"
    assert (asked["scope"], asked["client_id"]) == ("openid read", "app-id")
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["state"]) == 43
    ((name, cookie),) = ann.cookies.items()
    assert name.startswith("__Host-rfc-")
    row = world.one("select * from connect_attempt")
    for secret in (asked["state"], cookie, link_of(made)):
        assert secret.encode() not in b"".join(v for v in row if isinstance(v, bytes))
    opened = world.services.cipher.open(Sealed(bytes(row.verifier)), row.id, "verifier")
    assert len(opened.reveal()) == 43
    assert now(world, made).opened_at is not None
    actions = [r.action for r in world.rows("select action from audit order by id")]
    assert actions == ["connect_session_made", "connect_session_used"]


def test_an_attempt_is_good_for_one_callback(world: World, ann: Visitor) -> None:
    """The second shows the result, from the browser that was there; another is told nothing (T5)."""
    made = make(world)
    asked = ann.leave(made)
    sent = ann.back(asked)
    assert isinstance(sent, SendCode)
    assert sent.code.reveal() == "a-code"
    assert now(world, made).state is State.EXCHANGING
    assert ann.back(asked) == ShowResult(made.session.id)
    assert Visitor(world).back(asked) == ShowPage(Problem.OTHER_BROWSER)
    assert isinstance(ann.result(made), Waiting)


def test_an_attempt_of_another_browser_is_not_spent_by_it(world: World, ann: Visitor) -> None:
    """Login CSRF, an unknown state, another's path: nothing is sent, and Ann goes on (T1, T2, T4)."""
    made = make(world)
    asked = ann.leave(made)
    ben = Visitor(world)
    ben.leave(make(world))
    assert ben.back(asked) == ShowPage(Problem.OTHER_BROWSER)
    assert ann.back({"state": "made-up"}) == ShowPage(Problem.BAD_CALLBACK)
    assert visits.arrive(world.services, "acme", [("code", "c")], {}) == ShowPage(
        Problem.BAD_CALLBACK
    )
    assert ann.back(asked, "paced") == ShowPage(Problem.WRONG_ISSUER)
    assert isinstance(ann.back(asked), SendCode)


def test_the_second_of_two_tabs_is_not_sent(world: World, ann: Visitor) -> None:
    """The first wins; the second's code stays unsent, and it sees the same result (T9)."""
    made = make(world)
    first, second = ann.leave(made), ann.leave(made)
    assert isinstance(ann.back(first), SendCode)
    assert ann.back(second) == ShowResult(made.session.id)
    assert len(ann.cookies) == 2


def test_who_says_no_may_try_again(world: World, ann: Visitor) -> None:
    """On the spot, without the link (T10, T12)."""
    made = make(world, return_url=f"{PAGE}?tab=1")
    asked = ann.leave(made)
    assert ann.back(asked, error="access_denied") == ShowResult(made.session.id)
    failed = ann.result(made)
    assert isinstance(failed, Failed)
    assert (failed.trouble.code, failed.may_retry) == (Problem.DENIED, True)
    assert failed.return_url == (
        f"{PAGE}?tab=1&connect_session={made.session.id}&connect_status=cancelled"
    )
    ann.again(made)
    assert visits.opened(world.services, link_of(made)).title == "Acme"
    with pytest.raises(OtherBrowser):
        Visitor(world).again(made)
    with pytest.raises(OtherBrowser):
        Visitor(world).result(made)
    with pytest.raises(OtherBrowser):
        visits.result(world.services, uuid4(), ann.cookies)


def test_after_a_wrong_account_another_is_asked_for(world: World, ann: Visitor) -> None:
    """The picker is forced by the entry's own parameters (C21)."""
    describe(world, connect={"other_account": {"prompt": "select_account"}})
    made = make(world)
    asked = ann.leave(made)
    assert "prompt" not in asked
    sent = ann.back(asked)
    assert isinstance(sent, SendCode)
    with world.services.database.transaction() as db:
        connect_steps.reopen(db, sent.session_id, Trouble(Problem.WRONG_ACCOUNT, "it is ben's"))
    assert ann.again(made)["prompt"] == "select_account"


def test_the_application_confirms_who_came_back(world: World, ann: Visitor) -> None:
    """With the code of the return URL and the verifier of its own session; once (C9, T6)."""
    given = {"finish": Finish.APPLICATION, "finish_challenge": CHALLENGE, "return_url": PAGE}
    made = make(world, **given)
    assert visits.opened(world.services, link_of(made)).is_hop
    sent = ann.back(ann.leave(made))
    held(world, sent)
    assert isinstance(ann.result(made), Waiting)
    with world.services.database.transaction() as db:
        connect_steps.ready(db, made.session.id, Result(account_label="ann"))
    first, second = ann.result(made), ann.result(made)
    assert isinstance(first, Confirm)
    assert isinstance(second, Confirm)
    old, code = (one.return_url.rpartition("connect_code=")[2] for one in (first, second))
    assert second.return_url.startswith(f"{PAGE}?connect_session={made.session.id}")
    assert "connect_status=confirm" in second.return_url
    session_id = made.session.id
    for wrong in ((old, VERIFIER), (code, "x" * 43), ("", "")):
        with pytest.raises(ConnectRefused) as caught:
            connect.complete(world.services, session_id, *wrong, ANN)
        assert caught.value.code == "not_confirmed"


def test_a_session_that_is_done_leads_back(world: World, ann: Visitor) -> None:
    """To the application, without the account; the link has ended, as one that connected."""
    id_ = world.connect("7")
    made = make(world, connection_id=id_, return_url=PAGE)
    sent = ann.back(ann.leave(made))
    held(world, sent)
    with world.services.database.transaction() as db:
        connect_steps.end(
            db, made.session.id, Outcome.CONNECTED, connection_id=id_, result=Result(account="1")
        )
    view = ann.result(made)
    assert isinstance(view, Connected)
    told = f"?connect_session={made.session.id}&connect_status=connected"
    assert view.return_url == f"{PAGE}{told}"
    with pytest.raises(LinkEnded) as caught:
        visits.opened(world.services, link_of(made))
    assert caught.value.connected


def _spend(url: str, session_id: str, attempt_id: str) -> bool:
    """Has another process take the same callback, at the same moment as its neighbours."""
    from uuid import UUID  # noqa: PLC0415  in a process of its own

    database = Pool(url)
    try:
        with database.transaction() as db:
            session = store.locked(db, UUID(session_id))
            attempt = connect_attempts.find(db, UUID(attempt_id))
            assert session is not None
            assert attempt is not None
            return connect_steps.enter_exchanging(db, session, attempt)
    finally:
        database.close()


def test_of_two_processes_one_sends_the_code(world: World, ann: Visitor) -> None:
    """The same callback at both, at once (C3)."""
    made = make(world)
    ann.leave(made)
    with world.services.database.transaction() as db:
        (attempt,) = connect_attempts.of(db, made.session.id)
    url = world.services.database.url
    arguments = [(url, str(made.session.id), str(attempt.id))] * 2
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(_spend, *one) for one in arguments]
        assert sorted(one.result() for one in found) == [False, True]
