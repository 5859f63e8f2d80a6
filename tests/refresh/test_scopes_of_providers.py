"""What Salesforce and Microsoft say of one connection, or of one tenant, stays there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from refresher.rules.outcomes import Reply
from tests.refresh.scoping import answering, live, opened
from tests.world import World, granted


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A world with hosts, and the built-in providers."""
    made = opened(database_url)
    yield made
    made.close()


def test_a_token_that_hangs_is_left_to_end_before_it_is_presented_again(world: World) -> None:
    """Salesforce: the second request waits, and "already being processed" is no dead grant."""
    id_ = world.connect(provider="salesforce", host="acme.my.salesforce.com", expires_in=0)
    world.script.answer = lambda _: Reply(failure="timeout", elapsed_seconds=20.0)
    world.tick()
    due = world.row(id_).due_at - world.clock.now
    assert due >= timedelta(seconds=30)
    busy = {
        "error": "invalid_grant",
        "error_description": "token request is already being processed",
    }
    world.script.answer = lambda _: replace(granted(**busy), status=400)
    world.pass_time(60)
    assert world.tick()["transient"] == 1
    assert world.row(id_).status == "active"


@pytest.mark.parametrize(
    "said",
    [
        "AADSTS700016: Application with identifier '0000' was not found in the directory 'Gone Ltd'.",
        "AADSTS7000112: Application '0000'(demo) is disabled.",
    ],
)
def test_a_tenant_that_switched_our_app_off_is_alone_with_that(world: World, said: str) -> None:
    """Microsoft: what concerns one directory neither pauses the app nor ends the grant."""
    bad = world.connect("b", provider="microsoft", host="gone.example", expires_in=0)
    more = world.connect("b2", provider="microsoft", host="gone.example", expires_in=0)
    ids = [
        world.connect(f"c{n}", provider="microsoft", host=f"t{n}.example", expires_in=40 + n)
        for n in range(5)
    ]
    body = {"error": "unauthorized_client", "error_description": said}
    answering(
        world, 60, lambda r: replace(granted(**body), status=400) if "gone" in r.url else None
    )
    live(world, ids, seconds=200, step=4)
    assert {world.row(bad).status, world.row(more).status} == {"active"}


@pytest.mark.parametrize(("second", "outcome"), [(None, "refreshed"), ("again", "revoked")])
def test_a_dead_grant_is_asked_twice_at_microsoft(
    world: World, second: str | None, outcome: str
) -> None:
    """The old refresh token stays good there: only a second refusal, seconds later, ends the grant."""
    id_ = world.connect(provider="microsoft", host="t.example", expires_in=0)
    body = {"error": "invalid_grant", "error_description": "AADSTS70000: not valid."}
    world.script.answer = lambda _: replace(granted(**body), status=400)
    assert world.tick()["transient"] == 1
    assert world.row(id_).status == "active"
    if second is None:
        answering(world, 3600, lambda _: None)
    world.pass_time(6)
    assert world.tick()[outcome] == 1
    assert world.row(id_).status == ("active" if second is None else "reconnect_required")
