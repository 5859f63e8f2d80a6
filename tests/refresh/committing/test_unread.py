"""Answers that nobody could read, and a Postgres that takes none of them: each is kept all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from refresher.catalogue import Catalogue
from refresher.refresh import rereading, spool_entries
from refresher.refresh.recovery import sweep_stalled
from refresher.refresh.rereading import How
from refresher.rules.access import Actor
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.runtime import services as wiring
from refresher.runtime.liveness import Watch
from refresher.runtime.services import Services
from tests.refresh.committing.faults import Fault, raising, read_only, run, writable
from tests.refresh.committing.in_hand import MANY, all_spooled, assert_all_stored, in_hand
from tests.waiting import wait_until
from tests.world import PROVIDERS, World, granted

ME = Actor("cli:ann")
NAMES = {"access_token": ("accessToken",), "refresh_token": ("refreshToken",)}
FAULTS: dict[str, tuple[Fault, Fault]] = {
    "read-only": (read_only, writable),
    "permission": (
        run("revoke insert on kept_answer from refresher_service"),
        run("grant insert on kept_answer to refresher_service"),
    ),
    "constraint": (
        run("alter table kept_answer add constraint c check (bytes < 0) not valid"),
        run("alter table kept_answer drop constraint c"),
    ),
    **{state: raising(state, "kept_answer") for state in ("53100", "40001", "57014", "P0001")},
    "schedule": raising("ZZ999", "refresh_schedule"),
}
QUICK = {"read-only", "constraint", "53100"}


def renamed(request: TokenRequest) -> Reply:
    """Grants a pair in fields of names that the catalogue does not know yet."""
    old = request.parameters["refresh_token"]
    return granted(accessToken=f"new-access-{old}", refreshToken=f"new-{old}")


@contextmanager
def later_process(world: World) -> Iterator[Services]:
    """Services of a process that knows of the others what lies in Postgres and on the disk.

    Its providers file tells what the fields are called.
    """
    settings = world.services.settings
    mended = replace(PROVIDERS[0], answer_names=NAMES, access_token_lifetime_seconds=3600)
    built = wiring.build(settings)
    built.database.simulated_now = world.clock.now
    try:
        yield replace(built, catalogue=Catalogue({"acme": mended}, {}))
    finally:
        built.close()


def drained(services: Services) -> bool:
    """Sweeps as a scheduler does; whether nothing is left in the spool."""
    sweep_stalled(services, Watch())
    return not services.spool.entries()


def reread_all(services: Services) -> set[How]:
    """Reads every kept answer again."""
    return {one.outcome for one in rereading.reread_provider(services, "acme", ME)}


@pytest.mark.parametrize(
    "fault", [pytest.param(f, marks=[] if f in QUICK else pytest.mark.slow) for f in FAULTS]
)
def test_an_unread_answer_outlasts_its_process_and_a_postgres_that_refuses_it(
    world: World, admin: psycopg.Connection[Any], fault: str
) -> None:
    """Spooled, stored by whatever process comes next, read when the file is mended; spent once."""
    begin, end = FAULTS[fault]
    with in_hand(world, partial(begin, admin), renamed) as ids:
        wait_until(lambda: all_spooled(world), 30)
        world.services.stopping.set()  # the process that has them leaves before Postgres is back

    assert "new-" not in "".join(world.services.spool.entries())
    end(admin)
    world.pass_time(world.services.settings.attempt_timeout_seconds + 1)
    with later_process(world) as services:
        wait_until(lambda: drained(services), 30)
        assert {world.row(id_).parked_reason for id_ in ids} == {"unread_answer"}
        assert {world.events(id_)[-1] for id_ in ids} == {"unreadable"}
        assert world.one("select count(*) as n from outbox").n == MANY
        assert world.claim() == []
        assert reread_all(services) == {How.STORED}
    assert_all_stored(world, ids)


def test_one_answer_that_cannot_be_kept_holds_no_pair(
    world: World, admin: psycopg.Connection[Any]
) -> None:
    """The pairs of the same moment are stored; it waits as `unstored`, and is kept once it can be."""
    begin, end = FAULTS["constraint"]

    def answer(request: TokenRequest) -> Reply:
        odd = request.parameters["refresh_token"] == "refresh-of-c3"
        return renamed(request) if odd else granted(access_token="a", refresh_token="r")

    with in_hand(world, partial(begin, admin), answer) as ids:
        pass
    odd = ids.pop(3)
    assert {world.token(id_, "refresh_token") for id_ in ids} == {"r"}
    assert (world.row(odd).state, world.row(odd).parked_reason) == (2, "unstored")
    (entry,) = world.services.spool.entries()
    assert "cannot be kept: 23514" in str(spool_entries.read(entry)["why"])

    end(admin)
    wait_until(lambda: drained(world.services), 40)
    assert (world.row(odd).state, world.row(odd).parked_reason) == (2, "unread_answer")


def test_a_page_that_cannot_be_kept_is_let_go(world: World, admin: psycopg.Connection[Any]) -> None:
    """What holds no grant holds nobody up: it is tried again as if it had been kept."""
    begin, _ = FAULTS["constraint"]
    page = Reply(200, {"content-type": "text/html"}, b"<html>Sign in</html>")
    with in_hand(world, partial(begin, admin), lambda _: page) as ids:
        pass
    assert {(world.row(id_).state, world.row(id_).attempt) for id_ in ids} == {(0, 1)}
    assert world.services.spool.entries() == []


def test_an_answer_that_was_kept_already_is_told_once(world: World) -> None:
    """A commit that took place without our knowing leaves its entry behind; it changes nothing."""
    with in_hand(world, lambda: None, renamed) as ids:
        pass
    entries = spooled_again(world, ids[0])
    world.services.spool.put(entries)
    assert drained(world.services)
    assert world.events(ids[0]).count("unreadable") == 1
    assert world.one("select count(*) as n from kept_answer").n == MANY


def spooled_again(world: World, id_: UUID) -> list[str]:
    """Returns the entry that a process leaves which did not learn of its own commit."""
    kept = world.one("select id, lease_token from kept_answer where connection_id = :id", id=id_)
    answer = {
        "id": str(kept.id), "received_at": world.clock.now.isoformat(), "http_status": 200,
        "failure": None, "content_type": "", "content_encoding": "", "reason": "unread",
        "looks_like_grant": True, "bytes": 3, "body": "AAAA",
    }  # fmt: skip
    entry = {
        "connection_id": str(id_), "lease_token": kept.lease_token, "credential_version": 1,
        "grant_number": 1, "kind": "unreadable", "due_in_seconds": None, "attempt": 1,
        "park_reason": "unread_answer", "unknown_outcomes": 1, "kept": answer,
        "told_at": world.clock.now.isoformat(), "why": "Postgres was away",
    }  # fmt: skip
    return [json.dumps(entry)]
