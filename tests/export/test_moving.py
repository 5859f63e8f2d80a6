"""Connections move from one installation into another, and stand there as they stood."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID

import pytest

from refresher.connections import exporting, lifecycle
from refresher.rules.connection import connection_id
from refresher.rules.export_format import Tokens
from refresher.rules.outcomes import Reply
from refresher.rules.requests import TokenRequest
from refresher.store.exporting import Which
from tests.export.kit import ANN, export, exported, health, imported, stands, values
from tests.world import World


def connection(external_id: str) -> UUID:
    """Returns the id of one of acme's."""
    return connection_id("org", "acme", external_id)


@pytest.mark.parametrize("tokens", [Tokens.SEALED, Tokens.CLEAR])
def test_all_of_them_stand_as_they_stood(here: World, there: World, tokens: Tokens):
    """Tokens, lives, states, slots, kept fields: nothing is lost; nobody is told anything."""
    before = stands(here)
    came = imported(there, exported(here, tokens))
    assert came.rejected == {}
    assert (came.counts.created, came.is_whole) == (len(before), True)
    assert stands(there) == before
    assert health(there) == health(here)
    assert there.rows("select * from outbox") == []


def test_twice_is_once(here: World, there: World):
    """The same export again changes nothing, and tells nothing."""
    lines = exported(here)
    imported(there, lines)
    before = there.rows("select * from connection order by id")
    again = imported(there, lines)
    assert (again.counts.unchanged, again.counts.created, again.counts.reconnected) == (12, 0, 0)
    assert again.rejected == {}
    assert there.rows("select * from connection order by id") == before


def test_what_was_refreshed_since_wins_over_an_older_export(here: World, there: World):
    """The line is refused with a sentence; with `force` it is taken."""
    lines = exported(here)
    imported(there, lines)
    there.pass_time(3_000)
    there.tick()
    refreshed = there.token(connection("odd"))
    older = imported(there, lines)
    assert there.token(connection("odd")) == refreshed != "access-of-odd"
    at = next(n for n, line in enumerate(values(lines), 1) if line.get("external_id") == "odd")
    assert (
        "it changed here on 2030-01-01 at 12:50:00Z, after the export was made: --force"
        in (older.rejected[at])
    )
    assert imported(there, lines, force=True).rejected == {}
    assert there.token(connection("odd")) == "access-of-odd"


def test_a_newer_export_is_taken(here: World, there: World):
    """A rehearsal, then the real move: what was not changed here since is as it is there now."""
    imported(there, exported(here))
    here.pass_time(3_000)
    here.tick()
    there.pass_time(3_000)
    lifecycle.resume(here.services.database, ANN, connection("both"))
    came = imported(there, exported(here))
    assert came.rejected == {}
    assert came.counts.unchanged > 0
    assert stands(there) == stands(here)


def test_who_moves_in_in_need_of_a_reconnect_is_news_when_it_is_over(here: World, there: World):
    """Nobody is told again that it is dead; once it is connected again, they are."""
    imported(there, exported(here))
    there.connect("dead")
    assert [row.kind for row in there.rows("select kind from outbox")] == ["connection.recovered"]


def test_moving_pauses_here_and_not_there(here: World, there: World):
    """What an export paused goes on where it is imported; what people had paused does not."""
    before = health(here)
    lines = exported(here, paused=True)
    assert values(lines)[0]["paused"] is True
    assert set(health(here).values()) == {"paused", "disabled"}
    again = [v | {"sealed": ""} for v in values(exported(here, paused=True))]
    assert again[1:] == [v | {"sealed": ""} for v in values(lines)][1:]
    imported(there, lines)
    assert health(there) == before
    here.pass_time(3_600)
    assert here.claim() == []


def test_a_move_that_is_off_goes_on_here(here: World):
    """Those that the export paused are resumed, with the times they had; no others."""
    before = health(here), here.rows("select due_at from refresh_schedule order by connection_id")
    list(exporting.pause(here.services.database, Which()))
    assert max(exporting.unpause(here.services.database, Which())) == 11
    after = health(here), here.rows("select due_at from refresh_schedule order by connection_id")
    assert after == before
    assert list(exporting.unpause(here.services.database, Which())) == []


def test_a_refresh_under_way_is_waited_for(here: World):
    """Its new tokens are in the export; one that nobody ends is left out, and said."""
    here.pass_time(3_000)
    asked, answers = Event(), Event()

    def slowly(request: TokenRequest) -> Reply:
        asked.set()
        answers.wait(60)
        return here.script.rotate(request)

    here.script.answer = slowly
    with ThreadPoolExecutor() as pool:
        refreshing = pool.submit(here.tick)
        asked.wait(60)
        moving = pool.submit(exported, here, paused=True)
        time.sleep(0.3)
        assert not moving.done()
        answers.set()
        refreshing.result()
        lines = moving.result()
    odd = next(v for v in values(lines) if v.get("external_id") == "odd")
    assert odd["issued_at"] == "2030-01-01T12:50:00+00:00"


def test_a_refresh_that_nobody_ended_is_left_out(here: World):
    """Its refresh token may be spent: it is said by its id, and the others are exported."""
    here.pass_time(3_000)
    here.claim()
    here.run(
        "update refresh_schedule set begun_token = lease_token where connection_id = :id",
        id=connection("odd"),
    )
    here.pass_time(3_600)
    made, told = export(here, paused=True)
    lines = list(made.lines())
    assert (made.left_out, list(told)) == (1, [connection("odd")])
    assert "nobody has told how it ended" in told[connection("odd")]
    assert values(lines)[-1] == {"refresher_export_end": 11}


def test_what_no_key_opens_is_left_out_and_said(here: World):
    """And what waits to be stored: its stored refresh token is spent."""
    here.run("update connection set access_token = refresh_token where external_id = 'odd'")
    here.run(
        "update refresh_schedule set state = 2, parked_reason = 'unstored' where connection_id = :id",
        id=connection("long"),
    )
    made, told = export(here)
    list(made.lines())
    assert "is damaged, or was moved there" in told[connection("odd")]
    assert "wait to be stored" in told[connection("long")]
    assert len(told) == 2
