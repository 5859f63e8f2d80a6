"""A commit that hangs: what is in hand, and what comes meanwhile, lies in the spool before it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest

from refresher.outbound.sender import Wire
from refresher.refresh.spool_entries import connection_of
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Reply
from refresher.runtime.deadlines import Lookout
from tests.refresh.committing.in_hand import MANY, all_spooled, assert_all_stored, rotated
from tests.waiting import wait_until
from tests.world import World


@contextmanager
def locked(admin: psycopg.Connection[Any]) -> Iterator[None]:
    """Holds every commit of a pair up, as a server that is frozen does."""
    with admin.transaction():
        admin.execute("lock table connection in share mode")
        yield


class Late:
    """Answers the second half when it may."""

    def __init__(self, world: World) -> None:
        self.may_go = threading.Event()
        self._script = world.script

    async def send(self, wire: Wire) -> Reply:
        """Returns a rotated pair."""
        assert wire.request is not None
        self._script.asked.append(wire.request)
        if len(self._script.asked) > MANY // 2:
            await asyncio.to_thread(self.may_go.wait)
        return rotated(wire.request)


def test_a_commit_that_hangs_has_its_pairs_spooled_meanwhile(
    world: World, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those that come while its thread hangs; stored once, they are forgotten again."""
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(MANY)]
    late = Late(world)
    monkeypatch.setattr(world.script, "send", late.send)
    with ThreadPoolExecutor(1) as pool:
        with locked(admin):
            under_way = pool.submit(refresh, world.services, world.claim())
            wait_until(lambda: len(spooled(world)) >= MANY // 2, 30)
            late.may_go.set()
            wait_until(lambda: all_spooled(world), 30)
            assert not under_way.done()
        assert under_way.result(60)["refreshed"] == MANY
    assert spooled(world) == set()
    assert_all_stored(world, ids)
    assert all(world.events(id_).count("refreshed") == 1 for id_ in ids)


def spooled(world: World) -> set[UUID | None]:
    """Whose pairs lie in the spool."""
    return {connection_of(entry) for entry in world.services.spool.entries()}


def test_a_block_that_is_quick_is_not_helped() -> None:
    """The lookout calls nobody for what ends in time, and helps the block that takes long."""
    lookout, helped, quick = Lookout(0.05), threading.Event(), threading.Event()
    with lookout.over(helped.set):
        with lookout.over(quick.set):
            pass
        assert helped.wait(30)
    assert not quick.is_set()


def test_a_help_that_fails_costs_no_other_its_help() -> None:
    """An error of one block's help is told; another block is helped all the same, and again."""
    lookout, helped = Lookout(0.0), threading.Semaphore(0)

    def fail() -> None:
        raise OSError("no")

    with lookout.over(fail), lookout.over(helped.release):
        assert helped.acquire(timeout=30)
        assert helped.acquire(timeout=30)
