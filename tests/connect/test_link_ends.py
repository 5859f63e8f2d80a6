"""When a link leads nowhere any more: by time, by its attempts, by the right that made it."""

from collections.abc import Iterator

import pytest

from refresher.connections import connect, visits
from refresher.connections.visits import (
    Failed,
    LinkEnded,
    SendCode,
    ShowResult,
    StartRefused,
)
from refresher.rules.connect import Outcome, Problem, State
from refresher.store import connect_attempts
from tests.connect.visitor import (
    ANN,
    Visitor,
    able,
    describe,
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


def test_ten_attempts_are_all(world: World, ann: Visitor) -> None:
    """Then the link has ended, although its session is open."""
    made = make(world)
    for _ in range(10):
        asked = ann.leave(made)
    with pytest.raises(LinkEnded) as caught:
        ann.leave(made)
    assert caught.value.problem is Problem.TOO_MANY_ATTEMPTS
    assert ann.back(asked, error="access_denied") == ShowResult(made.session.id)
    failed = ann.result(made)
    assert isinstance(failed, Failed)
    assert not failed.may_retry


def test_a_link_ends(world: World, ann: Visitor) -> None:
    """By time, by cancel; an unknown one is as good. Who left in time may come back (T11)."""
    late, made, gone = make(world), make(world), make(world)
    world.pass_time(800)
    asked = ann.leave(made)
    late_asked = ann.leave(late)
    connect.cancel(world.services, gone.session.id, ANN)
    world.pass_time(101)
    for link in (link_of(made), link_of(gone), "unknown"):
        with pytest.raises(LinkEnded):
            visits.opened(world.services, link)
        with pytest.raises(LinkEnded):
            visits.start(world.services, link)
    assert isinstance(ann.back(asked), SendCode)
    world.pass_time(800)
    assert ann.back(late_asked) == ShowResult(late.session.id)
    failed = ann.result(late)
    assert isinstance(failed, Failed)
    assert (failed.trouble.code, failed.may_retry) == (Problem.EXPIRED, False)


GONE = {
    "key": "update api_key set revoked_at = refresher_now()",
    "deleted": "update connection set deleted_at = refresher_now()",
    "disabled": "update connection set disabled_at = refresher_now()",
    "list": "update organization set return_urls = '{}'",
}


@pytest.mark.parametrize("how", GONE)
def test_a_session_dies_with_the_right_that_made_it(world: World, ann: Visitor, how: str) -> None:
    """Between start and callback: ended, nothing sent; and no start after that (T20)."""
    own = "https://app.example/orgs/org"
    id_ = world.connect("7")
    world.run("insert into organization (id, return_urls) values ('org', :urls)", urls=[own])
    world.run(
        "insert into api_key (id, name, scopes, secret_hash) values ('k', 'k', '{}', "
        "decode(repeat('00', 32), 'hex'))"
    )
    made = make(world, connection_id=id_, return_url=own)
    world.run("update connect_session set key_id = 'k'")
    asked = ann.leave(made)
    world.run(GONE[how])
    with pytest.raises(LinkEnded) as caught:
        ann.leave(made)
    assert caught.value.problem is Problem.RIGHT_ENDED
    assert ann.back(asked) == ShowResult(made.session.id)
    ended = now(world, made)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.CANCELLED)
    assert not world.one("select in_between_steps as it from connection").it


def test_an_entry_that_cannot_connect_any_more(world: World, ann: Visitor) -> None:
    """The link stays good until it can again; who comes back is told, and nothing is sent."""
    made = make(world)
    asked = ann.leave(made)
    known = world.services
    world.describe("acme", connect=None)
    with pytest.raises(StartRefused) as caught:
        visits.opened(world.services, link_of(made))
    assert caught.value.problem is Problem.APP_WRONG
    assert ann.back(asked) == ShowResult(made.session.id)
    world.services = known
    assert now(world, made).state is State.OPEN
    world.run("delete from app where provider = 'acme'")
    with pytest.raises(StartRefused, match="no app acme/default"):
        ann.leave(made)


def test_a_host_is_asked_for(world: World, ann: Visitor) -> None:
    """Where whoever made the session did not name it, and within the entry's pattern."""
    describe(
        world,
        connect={"asks_host": True},
        authorize_url="https://{host}/authorize",
        token_url="https://{host}/token",
        host_pattern=r"[a-z]+\.acme\.example",
    )
    made, named = make(world), make(world, host="us.acme.example")
    assert visits.opened(world.services, link_of(made)).asks_host
    assert not visits.opened(world.services, link_of(named)).asks_host
    for host in (None, "evil.example"):
        with pytest.raises(StartRefused) as caught:
            ann.leave(made, host=host)
        assert caught.value.problem is Problem.WRONG_HOST
    asked = ann.leave(made, host="eu.acme.example")
    sent = ann.back(asked)
    assert isinstance(sent, SendCode)
    assert (sent.attempt.host, sent.attempt.code_url) == (
        "eu.acme.example",
        "https://eu.acme.example/token",
    )
    ann.leave(named, host="eu.acme.example")
    with world.services.database.transaction() as db:
        (attempt,) = connect_attempts.of(db, named.session.id)
    assert attempt.host == "us.acme.example"
