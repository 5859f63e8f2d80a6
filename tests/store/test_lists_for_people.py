"""What people's lists cost on big tables: counts end, a page reads what it shows and little more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, text

from refresher.rules.words import MOST_COUNTED, counted
from refresher.store import api_keys, audit, recipients, replays, webhooks
from refresher.store.counting import Counted
from refresher.store.replays import Replay
from refresher.store.session import Db
from tests.world import World

MANY = 12_000
E1 = UUID(int=1)
STATES = {"held": 2, "delivered": 3, "failed": 4}


def rows_read(world: World, work: Callable[[Db], object]) -> int:
    """The most rows that any step of what `work` asks for handled, by the plans of its statements."""
    asked: list[tuple[str, Any]] = []
    with world.services.database.transaction() as db:

        def heard(_db: Any, _cursor: Any, sql: str, values: Any, *_rest: object) -> None:
            asked.append((sql, values))

        event.listen(db, "before_cursor_execute", heard)
        work(db)
        event.remove(db, "before_cursor_execute", heard)
        return max(_most_rows(_plan(db, sql, values)) for sql, values in asked)


def _plan(db: Db, sql: str, values: Any) -> Any:
    plan = db.exec_driver_sql(f"explain (analyze, format json) {sql}", values).scalar_one()
    return (plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]


def _most_rows(plan: Any) -> int:
    handled = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
    own: int = round(handled * plan["Actual Loops"])
    return max([own, *(_most_rows(below) for below in plan.get("Plans", ()))])


@pytest.fixture(scope="module")
def told(module_database_url: str) -> Iterator[World]:
    """An endpoint with 12,000 messages held, delivered and failed each, and 12,000 of other events."""
    world = World(module_database_url)
    world.run(
        "insert into webhook_endpoint (id, url, events, secret) select "
        "('00000000-0000-0000-0000-00000000000' || n)::uuid, 'https://a.example', '{*}', 'x' "
        "from generate_series(1, 2) n"
    )
    for part in range(4):  # a busy machine takes its time for each
        world.run(
            "with o as (insert into outbox (id, sequence, kind, payload, occurred_at) "
            "  select gen_random_uuid(), n, 'app.recovered', '{}', "
            "         refresher_now() - n * interval '1 second' "
            "  from generate_series(cast(:first as int), :last) n "
            "  returning id, sequence) "
            "insert into webhook_delivery (endpoint_id, event_id, subject, sequence, state) "
            "select :endpoint, id, 'x', sequence, :state from o where :state > 1 "
            "order by sequence",
            first=1 + part * MANY,
            last=(1 + part) * MANY,
            state=1 + part,
            endpoint=E1,
        )
    world.run("analyze")
    yield world
    world.close()


def test_counts_of_an_endpoint_end(told: World) -> None:
    """Of 12,000 held and 12,000 failed ones 10,001 are counted, which is shown as 10,000+."""
    with told.services.database.transaction() as db:
        full, empty = webhooks.every(db)
    assert (full.waiting, full.held, full.failed) == (0, MOST_COUNTED, MOST_COUNTED)
    assert (empty.waiting, empty.held, empty.failed) == (0, 0, 0)
    assert (counted(full.held), counted(3_210)) == ("10,000+", "3,210")
    assert rows_read(told, webhooks.every) <= 2 * MOST_COUNTED


@pytest.mark.parametrize("state", [None, "held", "failed", "delivered", "waiting"])
def test_a_page_of_messages_reads_a_bounded_part(told: World, state: str | None) -> None:
    """Held and failed ones come from an index; of the others the newest 10,000 are looked at."""
    direct = state in {None, "held", "failed"}

    def look(db: Db) -> replays.Looked:
        return replays.look(db, E1, state=state, before=None, limit=50)

    with told.services.database.transaction() as db:
        page = look(db)
    if not direct:
        assert page.found == []
        assert page.further is not None
    else:
        assert len(page.found) == 50
        assert {one.state for one in page.found} <= {state or page.found[0].state}
        assert page.further == page.found[-1].id
    assert rows_read(told, look) <= (60 if direct else replays.MOST_LOOKED_AT)


def test_a_look_goes_on_where_it_ended(told: World) -> None:
    """Looking further finds at last what lies behind 10,000 other messages, and then ends."""
    found: list[replays.DeliveryView] = []
    before, looks = None, 0
    with told.services.database.transaction() as db:
        before_all = db.begin_nested()
        db.execute(text("update webhook_delivery set state = 0 where id = 1"))
        while looks == 0 or before is not None:
            page = replays.look(db, E1, state="waiting", before=before, limit=50)
            found, before, looks = [*found, *page.found], page.further, looks + 1
        before_all.rollback()
    assert (len(found), looks) == (1, 4)


def test_a_replay_is_counted_before_it_is_done(told: World) -> None:
    """The number is right where it is small, and says that it may be more where it is not."""
    with told.services.database.transaction() as db:
        oldest, since = db.execute(
            text("select id, occurred_at from outbox order by occurred_at limit 1 offset 99")
        ).one()
        of_span = replays.count(db, Replay(E1, until=since))
        failed = replays.count(db, Replay(E1, only_failed=True))
        named = replays.count(db, Replay(E1, event_id=oldest))
        before = db.begin_nested()
        sent = replays.replay(db, Replay(E1, until=since))
        before.rollback()
    assert of_span == Counted(99)
    assert sent == 99
    assert failed == Counted(MOST_COUNTED, is_capped=True)
    assert named == Counted(1)
    for wanted in (Replay(E1, since=since), Replay(E1, only_failed=True, since=since)):
        assert rows_read(told, partial(replays.count, wanted=wanted)) <= MANY


def test_people_and_keys_come_from_indexes(world: World) -> None:
    """Refused addresses, recipients and audit of one organization, and keys: page by page."""
    world.run(
        "insert into recipient (id, organization_id, address, blocked_at, blocked_reason) "
        "select gen_random_uuid(), 'org-' || n % 10, n || '@a.example', "
        "case when n % 100 = 0 then refresher_now() end, case when n % 100 = 0 then '550' end "
        "from generate_series(1, :many) n",
        many=MANY,
    )
    world.run(
        "insert into audit (key_id, action, organization_id) select 'k' || n % 3, 'x', "
        "'org-' || n % 1000 from generate_series(1, :many) n",
        many=MANY,
    )
    world.run(
        "insert into api_key (id, name, scopes, secret_hash, created_at) select 'k' || n, 'x', "
        "'{read}', decode(repeat('00', 32), 'hex'), refresher_now() - n * interval '1 hour' "
        "from generate_series(1, 2000) n"
    )
    world.run("analyze")
    with world.services.database.transaction() as db:
        told = recipients.told(db)
        refused = recipients.blocked(db, limit=500)
        own = recipients.page(db, ["org-3"], after=("org-3", "5"), limit=20)
        first = api_keys.newest(db, limit=20)
        second = api_keys.newest(db, before=(first[-1].created_at, first[-1].id), limit=20)
        entries = audit.recent(db, organization_id="org-7", limit=8)
        older = audit.recent(db, organization_id="org-7", before=entries[-1].id, limit=50)
    assert (told.known, told.has_page, len(refused)) == (MOST_COUNTED, False, 120)
    assert {one.organization_id for one in own} == {"org-3"}
    assert [key.id for key in first + second] == [f"k{n}" for n in range(1, 41)]
    assert (len(entries), len(older)) == (8, 4)
    assert not set(entries) & set(older)
    looks: list[Callable[[Db], object]] = [
        lambda db: recipients.blocked(db, limit=50),
        lambda db: recipients.page(db, ["org-3"], limit=50),
        lambda db: api_keys.newest(db, before=(first[-1].created_at, "k9"), limit=50),
        lambda db: audit.recent(db, organization_id="org-7", limit=50),
    ]
    assert [rows_read(world, look) <= 50 for look in looks] == [True] * 4


def test_recipients_of_two_organizations_at_once_are_nobody(world: World) -> None:
    """A bound key that asks for another organization's people gets none."""
    with world.services.database.transaction() as db:
        recipients.add(db, "org-1", "ann@acme.example", {})
        assert recipients.page(db, ["org-1", "org-2"]) == []
        assert len(recipients.page(db, ["org-1", None, "org-1"])) == 1
