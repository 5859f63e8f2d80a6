"""Stores `connection` and `refresh_schedule` in another number of partitions, by hash of the id.

One transaction: whoever kills it in between leaves the tables as they were. Writers are locked out from
its beginning; readers (tokens are served) go on, but for the moment in which the new tables take the
names of the old ones.

Unique is an account by its id: it is computed from organization, provider and external id, and a slot's
from the id of its connection (`rules/`). So a primary key on the id is enough, in whichever partition
the row is, as long as each row has the id it should have; that is checked for each before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.exc import OperationalError

from refresher.errors import RefresherError
from refresher.rules.connection import connection_id
from refresher.rules.slots import slot_id
from refresher.store import migrate, table_forms, workers
from refresher.store.session import Db, run
from refresher.store.table_forms import KEYS, Constraint, Leaf

Moved = Callable[[float, str], None]
"""Takes the part that is done, of 1, and what is done now."""
MOST = 256
PAGES_AT_ONCE = 16_384
LOCK_SECONDS, SWAP_TRIES = 20, 120
VIEWS = ("connections", "due")
_NEW = "_new"
_SETTINGS = """
    select set_config('statement_timeout', '0', true), set_config('lock_timeout', :lock, true),
        set_config('idle_in_transaction_session_timeout', '0', true),
        set_config('maintenance_work_mem', '256MB', true)
    """


class CannotPartition(RefresherError):
    """Something is in the way; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, in words, and how long it takes beside the others."""

    words: str
    weight: float
    sql: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is, the disk that a change takes while it lasts, and what is in its way."""

    before: int
    sizes: list[table_forms.Size]
    needed_bytes: int
    in_the_way: str | None


def look(url: str, schema: str | None) -> Plan:
    """Returns what a change of the form would meet; changes nothing."""
    with migrate.connection(url, schema) as db:
        migrate.check(db)
        needed = table_forms.needed_bytes(db)
        return Plan(table_forms.partitions(db), table_forms.sizes(db), needed, _in_the_way(db))


def change(url: str, schema: str | None, wanted: int, moved: Moved) -> int:
    """Stores both tables in `wanted` partitions, 1 for none; returns in how many they were.

    Raises `CannotPartition` where something is in the way. It needs the room of both tables once more.
    """
    with migrate.connection(url, schema) as db:
        migrate.check(db)
        run(db, "select pg_advisory_xact_lock(:lock)", lock=migrate.LOCK)
        return spread(db, wanted, moved)


def spread(db: Db, wanted: int, moved: Moved) -> int:
    """Does it in this transaction, whatever migration the tables are at."""
    before = table_forms.partitions(db)
    if before == wanted:
        return before
    run(db, _SETTINGS, lock=f"{LOCK_SECONDS}s")
    _refuse(_in_the_way(db))
    _lock(db)
    _refuse(_stray(db, moved))
    _run_all(db, list(_steps(db, wanted)), moved)
    swap = list(_swap(db, wanted))
    _lock_out(db)
    for sql in swap:
        _do(db, sql)
    moved(1.0, "committing")
    return before


def _do(db: Db, sql: str) -> None:
    """Executes a statement as it is: what Postgres tells of itself may hold a percent sign."""
    db.exec_driver_sql(sql, execution_options={"no_parameters": True})


def _in_the_way(db: Db) -> str | None:
    """Returns what is to be mended first, in a sentence, or None."""
    foreign = table_forms.obstacles(db)
    if foreign:
        more = f" (and {len(foreign) - 1} more such)" if len(foreign) > 1 else ""
        return f"{foreign[0]}{more}, which would be lost: drop it, and make it again afterwards"
    for process in workers.processes(db):
        if process.locked or process.seen_seconds < 60:
            return (
                f"the {process.role} on {process.host} (process {process.process_id}) runs, or was "
                "killed within a minute: stop schedulers and workers first; the API may go on"
            )
    needed, free = table_forms.needed_bytes(db), table_forms.free_bytes(db)
    if free is not None and free < needed:
        return (
            f"the disk of the database has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are "
            "needed while both forms are there: make room first"
        )
    return None


def _refuse(sentence: str | None) -> None:
    if sentence is not None:
        raise CannotPartition(sentence)


def _lock(db: Db) -> None:
    try:
        with db.begin_nested():
            run(db, "lock table connection, refresh_schedule in share row exclusive mode")
    except OperationalError as error:
        raise CannotPartition(
            f"a session has been writing to the tables for {LOCK_SECONDS} s: end it and try again"
        ) from error


def _stray(db: Db, moved: Moved) -> str | None:
    """Returns a sentence on a connection whose id is not the one that its account has."""
    moved(0.0, "checking ids")
    apart = run(
        db,
        "select s.id from connection s join connection m on m.id = s.slot_of where (s.organization_id, "
        "s.provider, s.external_id) <> (m.organization_id, m.provider, m.external_id) limit 1",
    ).scalar()
    driver: Any = db.connection.driver_connection
    asked = (
        "copy (select id, organization_id, provider, external_id, slot, slot_of from connection) "
        "to stdout"
    )
    with driver.cursor() as cursor, cursor.copy(asked) as copy:
        for found, organization_id, provider, external_id, slot, main in copy.rows():
            account = connection_id(organization_id, provider, external_id)
            if found != str(slot_id(UUID(main), slot) if main else account):
                apart = apart or found
    if apart is None:
        return None
    return (
        f"connection {apart} has another id than its account has everywhere, so that it could come a "
        "second time: delete it, and import it again"
    )


def _steps(db: Db, wanted: int) -> Iterator[Step]:
    """Yields what makes the new tables, beside the old ones."""
    parted = wanted > 1
    for table, key in KEYS.items():
        old = table_forms.leaves(db, table)
        pages = sum(leaf.pages for leaf in old) + 1
        yield Step(f"making {table}", 0, _made(table, key, old[0].options, parted=parted))
        for number in range(wanted if parted else 0):
            yield Step(f"making {table}", 0, _part(table, number, wanted, old[0].options))
        yield from _copies(table, table_forms.columns(db, table), old)
        for index in table_forms.indexes(db, table, parted=parted):
            sql = index.definition.format(table=table + _NEW, name=_index_name(index))
            yield Step(f"making {index.name}", pages / 8, sql)
        yield Step(f"analyzing {table}", 500, f"analyze {table}{_NEW}")
    for each in table_forms.references(db):
        if each.table in KEYS:
            yield Step(f"checking {each.name}", 500, _reference(each, _NEW))


def _made(table: str, key: str, options: str, *, parted: bool) -> str:
    how = f"partition by hash ({key})" if parted else f"with ({options})" * bool(options)
    return f"create table {table}{_NEW} (like {table} including all excluding indexes) {how}"


def _part(table: str, number: int, of: int, options: str) -> str:
    return (
        f"create table {table}_{of}_{number:03} partition of {table}{_NEW} "
        f"for values with (modulus {of}, remainder {number}) " + f"with ({options})" * bool(options)
    )


def _copies(table: str, columns: str, leaves: list[Leaf]) -> Iterator[Step]:
    for leaf in leaves:
        for first in range(0, leaf.pages, PAGES_AT_ONCE):
            sql = (
                f"insert into {table}{_NEW} ({columns}) select {columns} from {leaf.name} "  # noqa: S608
                f"where ctid >= '({first},0)' and ctid < '({first + PAGES_AT_ONCE},0)'"
            )
            yield Step(f"copying {table}", min(PAGES_AT_ONCE, leaf.pages - first), sql)


def _index_name(index: Constraint) -> str:
    """Returns the name that an index has until the old one, which has its own, is gone."""
    return f"{index.name[:58]}{_NEW}"


def _reference(each: Constraint, suffix: str = "") -> str:
    return each.definition.format(
        table=each.table + suffix, name=each.name, refers_to=each.refers_to + suffix
    )


def _run_all(db: Db, steps: list[Step], moved: Moved) -> None:
    whole, done = sum(step.weight for step in steps), 0.0
    for step in steps:
        moved(done / whole, step.words)
        _do(db, step.sql)
        done += step.weight


def _swap(db: Db, wanted: int) -> Iterator[str]:
    """Yields what gives the new tables the names of the old ones, and what hung on those."""
    views, others = _views(db), [k for k in table_forms.references(db) if k.table not in KEYS]
    grants = [*_grants(db, [*KEYS, *VIEWS])]
    renamed = [
        f"alter index {_index_name(index)} rename to {index.name}"
        for table in KEYS
        for index in table_forms.indexes(db, table, parted=wanted > 1)
    ]
    yield from (f"drop view {name}" for name in views)
    yield from (f"alter table {each.table} drop constraint {each.name}" for each in others)
    yield "drop table refresh_schedule, connection"
    yield from (f"alter table {table}{_NEW} rename to {table}" for table in KEYS)
    yield from renamed
    yield from map(_reference, others)
    yield from views.values()
    yield from grants


def _views(db: Db) -> dict[str, str]:
    """Returns the statement that makes each of our views, with what it says of itself."""
    sql = """
        select relname, format('create view %I as %s comment on view %I is %L', relname,
            pg_get_viewdef(oid), relname, obj_description(oid, 'pg_class')) as made
        from pg_class
        where oid = any(array(select to_regclass(n) from unnest(cast(:views as text[])) n))
        """
    return {row.relname: row.made for row in run(db, sql, views=list(VIEWS))}


def _grants(db: Db, names: list[str]) -> Iterator[str]:
    """Yields who owns what is made anew, if it is not us, and what others were granted on it."""
    sql = """
        select format('grant %s on %s to %s%s', a.privilege_type, quote_ident(c.relname),
            case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
            case when a.is_grantable then ' with grant option' else '' end)
        from pg_class c cross join aclexplode(c.relacl) a
        where c.oid = any(array(select to_regclass(n) from unnest(cast(:names as text[])) n))
          and a.grantee <> c.relowner
        union all
        select format('alter table %s owner to %s', quote_ident(c.relname),
            quote_ident(pg_get_userbyid(c.relowner)))
        from pg_class c where pg_get_userbyid(c.relowner) <> current_user
          and c.oid = any(array(select to_regclass(n) from unnest(cast(:names as text[])) n))
        """
    yield from run(db, sql, names=names).scalars()


def _lock_out(db: Db) -> None:
    """Waits until nobody reads, in short attempts: who waits for this lock holds all readers up."""
    tables = ", ".join({*KEYS, *(each.table for each in table_forms.references(db))})
    run(db, "select set_config('lock_timeout', '500ms', true)")
    for tried in range(SWAP_TRIES):
        try:
            with db.begin_nested():
                _do(db, f"lock table {tables} in access exclusive mode")
                return
        except OperationalError as error:
            if tried == SWAP_TRIES - 1:
                raise CannotPartition(
                    "a session has been reading the tables for a minute without an end: "
                    "end it (pg_stat_activity tells which) and try again"
                ) from error
