"""Fresh pairs in one statement or step by step: nobody can tell from the rows which way they went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection as Db
from sqlalchemy import text

from refresher.rules.connection import Sealed
from refresher.rules.outcomes import Reply
from refresher.store import binary, pairs
from refresher.store.settlement import Settled, Settlement, settle
from tests.store.test_settlement import answered, begun
from tests.world import World, granted, refused

PAIR = granted(access_token="new", refresh_token="r2", expires_in=3600)
TABLES = {
    "connection": "{}", "refresh_schedule": "{}", "grant_end": "{}", "notice": "{}",
    "kept_answer": "{}", "refresh_event": "{id}", "outbox": "{id}", "quarantine": "{id}",
}  # fmt: skip
"""What a settlement may write, without the ids that are drawn anew each time."""
Case = tuple[Callable[[], Reply], str, Callable[[Settlement], Settlement]]


def as_it_came(settlement: Settlement) -> Settlement:
    """Returns the settlement unchanged."""
    return settlement


def fresh(**life: Any) -> Callable[[Settlement], Settlement]:
    """Returns what changes the new pair."""

    def changed(s: Settlement) -> Settlement:
        assert s.new is not None
        return replace(s, new=replace(s.new, **life))

    return changed


def other(**fields: Any) -> Callable[[Settlement], Settlement]:
    """Returns what changes the settlement."""
    return lambda s: replace(s, **fields)


SECRET = Sealed(b"\0" * 64)
PLAIN: dict[str, Case] = {
    "usual": (lambda: PAIR, "", as_it_came),
    "no refresh token": (lambda: granted(access_token="a", expires_in=60), "", as_it_came),
    "scopes": (lambda: granted(access_token="a", expires_in=60, scope="x y"), "", as_it_came),
    "no life told": (lambda: PAIR, "", fresh(left_seconds=None, lifetime_seconds=None)),
    "kept": (
        lambda: PAIR,
        'update connection set kept_fields = \'{"a": 1, "b": 2}\'',
        fresh(kept_fields='{"b": 3}', kept_secrets=SECRET),
    ),
    "end": (lambda: PAIR, "", fresh(refresh_token_left_seconds=9e6)),
    "end forgotten": (
        lambda: PAIR,
        "update connection set refresh_token_expires_at = refresher_now() + interval '9 days'",
        fresh(forgets_end=True),
    ),
    "fixed end": (
        lambda: PAIR,
        "update connection set grant_ends_at = refresher_now() + interval '9 days'",
        fresh(refresh_token_left_seconds=9e6),
    ),
    "was in trouble": (
        lambda: PAIR,
        (
            "update connection set trouble = 'delayed'; "
            "update refresh_schedule set attempt = 4, unknown_outcomes = 2, starts = 2, "
            "waits_for = 'app:acme/default', postponed_by = 'x'"
        ),
        as_it_came,
    ),
    "was dead": (
        lambda: PAIR,
        "update connection set status = 'reconnect_required', status_cause = 'x'",
        as_it_came,
    ),
    "paused meanwhile": (
        lambda: PAIR,
        "update connection set paused_at = refresher_now(), disabled_at = refresher_now()",
        as_it_came,
    ),
    "parked as unstored": (
        lambda: PAIR,
        "update refresh_schedule set state = 2, parked_reason = 'unstored', due_at = null",
        as_it_came,
    ),
}
"""What `finish` does whole: the reply, what happens to the tables, how the outcome is changed."""
OTHERS: dict[str, Case] = {
    "swept": (
        lambda: PAIR,
        "update refresh_schedule set state = 0, lease_until = null",
        as_it_came,
    ),
    "another's": (lambda: PAIR, "update refresh_schedule set lease_token = 99", as_it_came),
    "parked meanwhile": (
        lambda: PAIR,
        "update refresh_schedule set state = 2, parked_reason = 'reconnect_required'",
        as_it_came,
    ),
    "newer pair": (lambda: PAIR, "update connection set credential_version = 9", as_it_came),
    "no row": (lambda: PAIR, "delete from refresh_schedule", as_it_came),
    "expired already": (lambda: granted(access_token="a", expires_in=0), "", as_it_came),
    "an end is news": (
        lambda: PAIR,
        "",
        lambda s: fresh(refresh_token_left_seconds=9e6)(replace(s, end_is_news=True)),
    ),
    "the grant's end": (lambda: PAIR, "", fresh(grant_left_seconds=9e6)),
    "reason": (lambda: PAIR, "", other(reason="the provider prolonged the stored token")),
    "trouble": (lambda: Reply(503), "", as_it_came),
    "dead": (lambda: refused("invalid_grant"), "", as_it_came),
    "unread": (lambda: Reply(200, {}, b'{"access_token": '), "", as_it_came),
}
"""What goes on, or all the way, step by step."""


def outcomes(world: World, cases: dict[str, Case]) -> list[Settlement]:
    """Returns what refreshes come to, whose rows have met something meanwhile."""
    for name in cases:
        world.connect(name, expires_in=0)
    attempts = {a.row.connection.external_id: a for a in begun(world, world.claim())}
    made = []
    for name, (reply, happens, changed) in cases.items():
        attempt = attempts[name]
        for statement in filter(None, happens.split("; ")):
            column = "connection_id" if "refresh_schedule" in statement else "id"
            world.run(f"{statement} where {column} = :id", id=attempt.row.connection.id)
        made.append(changed(answered(world, attempt, reply())))
    return made


def written(world: World, settlements: list[Settlement]) -> tuple[Settled, dict[str, list[Any]]]:
    """Returns what `settle` says and leaves behind, and takes it back."""
    with world.services.database.transaction() as db:
        place = db.begin_nested()
        settled = settle(db, settlements, lead_share=0.2)
        rows = {name: seen(db, name) for name in TABLES}
        place.rollback()
    return settled, rows


def seen(db: Db, table: str) -> list[Any]:
    """Returns all rows of a table."""
    sql = f"select to_jsonb(t) - cast(:left_out as text[]) from {table} t order by 1"
    return list(db.execute(text(sql), {"left_out": TABLES[table]}).scalars())


def both_ways(world: World, settlements: list[Settlement], monkeypatch: pytest.MonkeyPatch) -> None:
    """Compares what the one statement leaves with what the steps leave."""
    at_once = written(world, settlements)
    with monkeypatch.context() as patched:
        patched.setattr(pairs, "is_plain", lambda _: False)
        assert written(world, settlements) == at_once


@pytest.mark.parametrize("name", [*PLAIN, *OTHERS])
def test_one_statement_leaves_what_the_steps_leave(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All columns of all tables, and what is told to the caller."""
    made = outcomes(world, {name: (PLAIN | OTHERS)[name]})
    both_ways(world, made, monkeypatch)
    with world.services.database.transaction() as db:
        plain = [s for s in made if pairs.is_plain(s)]
        assert bool(pairs.finish(db, plain).told) == (name in PLAIN)


def test_so_it_is_for_all_of_them_in_one_commit(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is plain is not held up by what is not, and each is told once."""
    made = outcomes(world, PLAIN | OTHERS)
    both_ways(world, made, monkeypatch)


def test_plain_pairs_take_one_statement(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written a second time."""
    made = outcomes(world, dict.fromkeys("abc", PLAIN["usual"]))
    sent: list[str] = []
    execute = binary.answer

    def counted(db: Db, hot: Any, values: Any) -> Any:
        sent.append(hot.text)
        return execute(db, hot, values)

    monkeypatch.setattr(binary, "answer", counted)
    settled = written(world, made)[0]
    assert (len(sent), set(settled.written)) == (1, {s.id for s in made})
