"""Connections that were handed in learn their account from the provider, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from refresher.connections.learning import Learned, learn_accounts
from refresher.rules.access import Actor
from refresher.rules.connection import Reply
from refresher.rules.consent import Identity
from tests.connect.carrying import ANN, ANSWER, BEN, USERINFO, answering, entry
from tests.world import World, granted, refused

BY = Actor("cli:ann")


def learned(world: World, **given: str) -> Learned:
    """Returns the last counts."""
    return [*learn_accounts(world.services, BY, **given), Learned()][-2:][0]


def account(world: World, external_id: str) -> tuple[str | None, str | None]:
    """Returns account and label of a connection."""
    sql = "select account, account_label from connection where external_id = :id"
    row = world.one(sql, id=external_id)
    return row.account, row.account_label


def test_accounts_are_asked_for_where_a_token_lives(world: World) -> None:
    """Each is asked once with its own token; one that is not told is told of, and asked again later."""
    entry(world, USERINFO)
    world.connect("a")
    world.connect("b")
    world.connect("c", organization_id="other")
    world.connect("old", expires_in=0)
    world.connect("elsewhere", provider="paced")
    said = {"access-of-a": granted(**ANN), "access-of-b": refused("forbidden", 403)}
    bearer = "Authorization"
    world.script.answer = lambda r: said[r.headers[bearer].removeprefix("Bearer ")]
    assert learned(world, organization_id="org") == Learned(learned=1, untold=1)
    assert account(world, "a") == ("7", "ann@acme.example")
    assert account(world, "b") == (None, None)
    audited = world.one(
        "select key_id, organization_id, count from audit where action = 'accounts_learned'"
    )
    assert tuple(audited) == ("cli:ann", "org", 1)
    said = {"access-of-b": granted(**BEN), "access-of-c": granted(**ANN)}
    assert learned(world) == Learned(learned=2)
    assert learned(world) == Learned()


def test_what_was_kept_of_an_answer_tells_without_asking(world: World) -> None:
    """Some entries keep the id among the fields that callers need."""
    entry(world, ANSWER)
    world.describe("acme", keep_fields=("id", "email"))
    world.connect("a", access_token=None, refresh_token=None, expires_in=None,
                  answer={"access_token": "at", "expires_in": 3600, **ANN})  # fmt: skip
    answering(world)
    assert learned(world) == Learned(learned=1)
    assert account(world, "a") == ("7", "ann@acme.example")
    entry(world, replace(ANSWER, paths=(("team", "id"),), label_path=()))
    world.describe("acme", keep_fields=("team.id",))
    world.connect("b", access_token=None, refresh_token=None, expires_in=None,
                  answer={"access_token": "at", "expires_in": 3600, "team": {"id": "T1"}})  # fmt: skip
    assert learned(world) == Learned(learned=1)
    assert account(world, "b") == ("T1", None)


@pytest.mark.parametrize(
    ("identity", "reply", "expected"),
    [
        (Identity(found_in=("id_token",), paths=(("sub",),)), granted(sub="7"), "7"),
        (Identity(found_in=("id_token",), paths=(("tid",), ("oid",))), granted(sub="7"), None),
        (replace(USERINFO, paths=(("nowhere",),)), granted(sub="7"), None),
        (USERINFO, Reply(failure="timeout"), None),
    ],
)
def test_userinfo_tells_the_subject_of_an_id_token(
    world: World, identity: Identity, reply: Reply, expected: str | None
) -> None:
    """And no other claim; where nobody tells, nothing is written."""
    entry(world, identity)
    world.describe("acme", identity_url="https://acme.example/userinfo")
    world.connect("a")
    world.script.answer = lambda _: reply
    learned(world)
    assert account(world, "a")[0] == expected


def test_what_cannot_be_asked_is_left(world: World) -> None:
    """No URL tells; the app may be gone."""
    entry(world, replace(USERINFO, url=None))
    world.connect("a")
    world.run("delete from app where provider = 'acme'")
    assert learned(world) == Learned(untold=1)
