"""Plans of lists, counts and searches on a larger table: by indexes, and bounded, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url

from bench.dashboard.rows import LARGE, SMALL, fill
from refresher.connections import bulk
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Selection
from refresher.rules.standing_word import Health
from refresher.settings import sqlalchemy_url
from refresher.store import counting, finding, lists, registration
from refresher.store.bulk_rows import Look
from refresher.store.lists import Chosen
from refresher.store.pool import Pool
from refresher.store.session import Database, Db, one
from refresher.store.walks import MOST_LOOKED, Place

pytestmark = pytest.mark.slow
NUMBER = 100_000
PROVIDERS = ["google", "hubspot", "xero", "slack", "zoho", "linkedin", "facebook", "microsoft"]
BIG = {"connection", "refresh_schedule", "refresh_event"}
MOST_BUFFERS = 9 * MOST_LOOKED
"""A look at 3,000 candidates of which each is looked up twice, by trees of three levels."""


@pytest.fixture(scope="module")
def large(module_database_url: str) -> Iterator[Database]:
    """A hundred thousand connections of every kind."""
    with psycopg.connect(plain_url(module_database_url), autocommit=True) as db:
        fill(db, NUMBER, PROVIDERS, lambda _: None)
    database = Pool(sqlalchemy_url(module_database_url))
    yield database
    database.close()


def plain_url(url: str) -> str:
    """The URL as libpq reads it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def plans(database: Database, work: Callable[[Db], object]) -> list[dict[str, Any]]:
    """Runs it, and each of its statements again as `explain (analyze, buffers)`."""
    asked: list[tuple[str, Any]] = []

    def note(_db: object, _cursor: object, sql: str, values: Any, *_rest: object) -> None:
        asked.append((sql, values))

    with database.transaction() as db:
        event.listen(db, "before_cursor_execute", note)
        work(db)
        event.remove(db, "before_cursor_execute", note)
        found = []
        for sql, values in asked:
            if sql.lstrip().startswith("explain"):
                continue
            if sql.startswith(("select set_config", "set ")):
                db.exec_driver_sql(sql)
                continue
            plan = db.exec_driver_sql(
                f"explain (analyze, buffers, format json) {sql}", values
            ).scalar()
            assert plan is not None
            found.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return found


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every node of a plan."""
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def judge(
    database: Database, what: object, work: Callable[[Db], object], most: int = MOST_BUFFERS
) -> None:
    """Fails where a big table is read from end to end, or too much is read at all."""
    for plan in plans(database, work):
        read = [n["Relation Name"] for n in nodes(plan) if n["Node Type"].endswith("Seq Scan")]
        assert not {name for name in read if name.split("_2")[0] in BIG}, (what, read)
        buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        assert buffers <= most, (what, buffers)


OWNERS: list[dict[str, Any]] = [
    {},
    {"organization_id": SMALL},
    {"organization_id": LARGE},
    {"organization_id": "nobody"},
    {"provider": "google"},
    {"provider": "microsoft", "organization_id": LARGE},
    {"app": "nothing"},
]


@pytest.mark.parametrize("owner", OWNERS, ids=str)
def test_every_list_is_bounded(large: Database, owner: dict[str, Any]) -> None:
    """Each word in each order: the first page, the next, and what lies beyond the first look."""
    for word, order in product((None, *Health), ("account", "due")):
        chosen = Chosen(word, order=order, sees_deleted=True, **owner)  # type: ignore[arg-type]
        after: Place | None = None
        for _ in range(3):
            with large.transaction() as db:
                page = lists.page(db, chosen, after=after)
            here: Place | None = after
            judge(large, (chosen, here), lambda db: lists.page(db, chosen, after=here))  # noqa: B023
            after = page.after
            if after is None:
                break


def test_other_filters_and_counts_are_bounded(large: Database) -> None:
    """By state and reason, by external id; numbers of all and of one; how many there are in all."""
    for chosen in (
        Chosen(state="parked"),
        Chosen(state="leased"),
        Chosen(state="idle", organization_id=LARGE),
        Chosen(parked_reason="crash_loop"),
        Chosen(parked_reason="reconnect_required", provider="google"),
        Chosen(external_id="1180000000003"),
    ):
        judge(large, chosen, lambda db: lists.page(db, chosen))  # noqa: B023
    for whose in (None, SMALL, LARGE, "nobody"):
        judge(large, whose, lambda db: counting.counts(db, whose))  # noqa: B023
        judge(large, whose, lambda db: counting.about(db, whose))  # noqa: B023


@pytest.mark.parametrize("whose", [None, SMALL, LARGE])
@pytest.mark.parametrize(
    "text",
    ["1180000000003", "1180", "user", "acct_zzzz", "ledger", "LEDGER 7", "a", "cafe", "zzz", "%"],
)
def test_every_search_is_bounded(large: Database, whose: str | None, text: str) -> None:
    """What many begin like, and what nobody does."""
    judge(large, (whose, text), lambda db: finding.search(db, text, whose, sees_deleted=True))


@pytest.mark.parametrize("whose", [None, SMALL, LARGE])
def test_a_preview_is_bounded(large: Database, whose: str | None) -> None:
    """Of what is counted, of what is too much to be, and of what is rare."""
    filters: list[dict[str, Any]] = [
        {},
        {"provider": "google"},
        {"health": "reconnect_required"},
        {"health": "blocked"},
        {"health": "fresh"},
    ]
    for filter_, deed in product(filters, (Deed.PAUSE, Deed.DELETE, Deed.RESUME)):
        chosen = Selection(organization_id=whose, **filter_)

        def preview(db: Db) -> None:
            look = Look(deed, whose, registration.database_now(db), chosen.health)  # noqa: B023
            bulk.weighed(db, chosen, look)  # noqa: B023

        judge(large, (chosen, deed), preview)


def test_estimates_are_near(large: Database) -> None:
    """How many there are beyond what is counted, from what the planner knows."""
    with large.transaction() as db:
        everybody, some = counting.about(db), counting.about(db, LARGE)
        sql = "select count(*) from connection where organization_id = :of and deleted_at is null"
        exact = one(db, int, sql, of=LARGE)
    assert everybody.is_capped
    assert abs(everybody.number - NUMBER) < NUMBER / 10
    assert abs(some.number - exact) < exact / 2
