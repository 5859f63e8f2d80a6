"""No statement of a look reads a whole table, however many connections there are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event

from refresher.insight import looks
from refresher.store import connections, gauges, inspection, token_lives, troubles
from tests.insight.test_looks import anew
from tests.world import World

MOST = 20
CONNECTIONS = 30_000
SEED = (
    """
    insert into connection (id, organization_id, provider, external_id, expires_at, status)
    select gen_random_uuid(), 'org' || n % 3, (array['acme', 'paced', 'meta'])[n % 3 + 1], n::text,
        refresher_now() + n * interval '1 second',
        case when n % 10 = 0 then 'reconnect_required' else 'active' end
    from generate_series(1, :count) n
    """,
    """
    insert into refresh_schedule (connection_id, state, due_at, parked_reason, waits_for, postponed_by)
    select id, case when external_id::int % 10 = 0 then 2 else 0 end,
        refresher_now() + (external_id::int - 500) * interval '1 second',
        case when external_id::int % 10 = 0 then 'reconnect_required' end,
        case when external_id::int % 100 = 1 then 'app:acme/default' end,
        case when external_id::int % 100 = 1 then 'app:acme/default' end
    from connection
    """,
    "analyze",
)


@pytest.mark.parametrize("organization_id", [None, "org1"])
def test_no_look_reads_a_whole_table(
    world: World, monkeypatch: pytest.MonkeyPatch, organization_id: str | None
) -> None:
    """Of 30,000 connections each statement reads as many rows as it may count, some times over."""
    for module in (connections, gauges, inspection, troubles):
        monkeypatch.setattr(module, "MOST_COUNTED", MOST)
    monkeypatch.setattr(token_lives, "MOST_OPENED", MOST)
    monkeypatch.setattr(troubles, "MOST_OPENED", MOST)
    for statement in SEED:
        world.run(statement, count=CONNECTIONS)
    world.hold("app", "acme/default", sort="refused", reason="invalid_client")
    asked = _statements(world, organization_id)
    assert len(asked) > 5
    with world.services.database.transaction() as db:
        for statement, given in asked:
            explained = f"explain (analyze, format json) {statement}"
            plan = db.exec_driver_sql(explained, given).scalar_one()
            assert _most_rows(plan[0]["Plan"]) <= 4 * MOST, (statement, json.dumps(plan[0]["Plan"]))


def _statements(world: World, organization_id: str | None) -> list[tuple[str, Any]]:
    """Takes a look; returns what was asked for it."""
    asked: list[tuple[str, Any]] = []

    def note(_db: Any, _cursor: Any, statement: str, given: Any, *_more: Any) -> None:
        if statement.lstrip().startswith(("select", "with", "(")) and " from " in statement:
            asked.append((statement, given))

    engine = world.services.database.engine
    event.listen(engine, "before_cursor_execute", note)
    looks.take(world.services, organization_id, anew)
    event.remove(engine, "before_cursor_execute", note)
    return asked


def _most_rows(node: dict[str, Any]) -> float:
    """Returns the most rows that any node of a plan reads, discarded ones included."""
    loops = float(node["Actual Loops"])
    own = float(node["Actual Rows"]) * loops
    own += float(node.get("Rows Removed by Filter", 0)) * loops
    return max([own, *map(_most_rows, node.get("Plans", []))])
