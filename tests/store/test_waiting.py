"""Who waits for the end of a pause is found by an index, and not forgotten when it is written late."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from refresher.rules.faults import Fault, Place, Sort, ToldFault, Witness, scopes, weigh
from refresher.rules.limits import BreakerPolicy
from refresher.rules.policy import Policy
from refresher.store import marking, pause_list, pauses, schedule, waiting
from refresher.store.pauses import PauseSeen, Written
from refresher.store.reload import reload
from refresher.store.session import Db
from tests.refresh.pausing import hold
from tests.world import World

CONNECTIONS, PAUSES, WAITING = 10_000, 3_000, 300
SEEN = PauseSeen("provider", "acme@h1", 0.0, 1, Sort.SILENT)
PLACE = Place("00000000-0000-0000-0000-000000000001", "o", "acme", "default", "h1")


@pytest.fixture
def many(world: World) -> World:
    """Refreshes that are planned and some that wait for one host, among thousands that are paused."""
    world.run(
        "insert into connection (id, organization_id, provider, external_id, expires_at) "
        "select gen_random_uuid(), 'o', 'acme', n::text, refresher_now() "
        "from generate_series(1, :count) n",
        count=CONNECTIONS,
    )
    world.run(
        "insert into refresh_schedule (connection_id, due_at) "
        "select id, refresher_now() + random() * interval '30 days' + interval '1 hour' "
        "from connection"
    )
    world.run(
        "insert into pause (scope, key, sort, until, reason, provider, app_name, host, refusals) "
        "select 'provider', 'acme@h' || n, 'silent', refresher_now(), 'x', 'acme', null, 'h' || n, 1 "
        "from generate_series(1, :count) n",
        count=PAUSES,
    )
    world.run("analyze")
    world.run(
        "update refresh_schedule set waits_for = 'provider:acme@h1', postponed_by = 'provider:acme@h1' "
        "where connection_id in (select id from connection order by id limit :count)",
        count=WAITING,
    )
    return world


@contextmanager
def nothing_read_whole(db: Db) -> Iterator[None]:
    """Fails where a table of many rows is read from end to end meanwhile."""
    before = _whole_reads(db)
    yield
    assert _whole_reads(db) == before


def _whole_reads(db: Db) -> dict[str, int]:
    sql = (
        "select relname, seq_scan from pg_stat_xact_user_tables "
        "where relname in ('connection', 'refresh_schedule', 'pause')"
    )
    return {row.relname: row.seq_scan for row in db.execute(text(sql))}


def scans_of(db: Db, index: str) -> int:
    """Returns how often an index, or one of its parts, was read in this transaction."""
    sql = """
        select sum(pg_stat_get_xact_numscans(i)) from (
            select cast(:index as regclass) as i
            union select relid from pg_partition_tree(cast(:index as regclass))) parts
        """
    return int(db.execute(text(sql), {"index": index}).scalar_one())


@pytest.mark.parametrize("own", [False, True])
def test_the_end_of_a_pause_reads_those_who_waited(many: World, own: bool) -> None:
    """They are found by their own index, however many others are planned; all are brought forward."""
    with many.services.database.transaction() as db:
        before = scans_of(db, "refresh_schedule_waits_for_idx")
        with nothing_read_whole(db):
            assert waiting.end(db, [SEEN], own=own) == ["provider:acme@h1"]
        assert scans_of(db, "refresh_schedule_waits_for_idx") > before
    soon = many.one(
        "select count(*) as n from refresh_schedule "
        "where due_at <= refresher_now() + :spread * interval '1 second'",
        spread=waiting.SPREAD_SECONDS,
    )
    assert soon.n == WAITING


def test_evidence_is_read_and_written_by_its_name(many: World) -> None:
    """Of thousands of pauses a fault reads and writes those of its own scopes."""
    wanted = [(scope, Sort.SILENT) for scope in scopes(PLACE, "provider")]
    told = [ToldFault(Witness(PLACE.grant, "o", "h1"), Fault(Sort.SILENT, "HTTP 503"))]
    with many.services.database.transaction() as db, nothing_read_whole(db):
        known = pauses.locked(db, wanted)
        weighed = {
            s: weigh(s, known.get((s.family, s.key, sort)), told, Policy(), BreakerPolicy())
            for s, sort in wanted
        }
        pauses.write(db, [Written(s, sort, "HTTP 503", weighed[s]) for s, sort in wanted])
        assert len(pauses.seen(db, [s for s, _ in wanted])) == len(wanted)
        assert pauses.take_probe(db, SEEN, hold_seconds=60, again_seconds=None)


def test_a_reload_asks_for_the_pauses_of_its_provider_alone(many: World) -> None:
    """However many pauses another provider has: whether ours has any costs a look into an index."""
    many.run(
        "insert into connection (id, organization_id, provider, external_id, refresh_token) "
        "select gen_random_uuid(), 'o', 'calm', n::text, decode(repeat('00', 64), 'hex') "
        "from generate_series(1, 100) n"
    )
    many.run(
        "insert into refresh_schedule (connection_id, due_at) "
        "select id, refresher_now() from connection where provider = 'calm'"
    )
    with many.services.database.transaction() as db, nothing_read_whole(db):
        claims = schedule.claim_due(db, limit=100, lease_seconds=60, holder_id=uuid4())
        assert [row.in_trouble for row in reload(db, claims)] == [False] * 100
        me = many.services.holder_id
        assert len(marking.start(db, claims, holder_id=me, stop_when_expired=False)) == 100


@pytest.mark.parametrize("at", ["reloaded", "guarded"])
def test_who_is_told_to_wait_for_what_has_just_ended_goes_on(world: World, at: str) -> None:
    """The pause stood at the reload, and ends before that is written: the row is due at once."""
    id_ = world.connect(expires_in=0)
    with world.services.database.transaction() as db:
        hold(db, "provider", "acme", sort="silent", seconds=600)
    with world.step(id_) as step:
        step.reload() if at == "reloaded" else step.guard()
        with world.services.database.transaction() as db:
            assert pause_list.end(db, pause_list.Chosen("acme"))
    assert world.row(id_).postponed_by is None
    assert world.row(id_).due_at <= world.clock.now + timedelta(seconds=waiting.SPREAD_SECONDS)
    assert world.tick()["refreshed"] == 1


def test_a_pause_ends_when_those_who_wait_for_it_are_written(world: World) -> None:
    """Who ends it while a row is being written waits for that commit, and brings the row forward."""
    id_ = world.connect(expires_in=0)
    name = "provider:acme@127.0.0.1:8080"
    seen = PauseSeen("provider", "acme@127.0.0.1:8080", 600.0, 1, Sort.SILENT)

    def end() -> list[str]:
        with world.services.database.transaction() as db:
            return waiting.end(db, [seen])

    with world.services.database.transaction() as db:
        hold(db, "provider", seen.key, sort="silent", seconds=600)
    with ThreadPoolExecutor(1) as pool:
        with world.services.database.transaction() as db:
            db.execute(text("update refresh_schedule set waits_for = :name, postponed_by = :name, "
                            "due_at = refresher_now() + interval '600 s'"), {"name": name})  # fmt: skip
            waiting.let_go(db, {name})
            ending = pool.submit(end)
            # Were it not kept waiting, it would be over well before this
            with suppress(TimeoutError):
                ending.result(0.5)
        assert ending.result() == [name]
    assert world.row(id_).due_at <= world.clock.now + timedelta(seconds=waiting.SPREAD_SECONDS)
