"""How `connection` and `refresh_schedule` are stored: each in one table, or in partitions by id.

Everything is read from Postgres's own catalogue, so that what later migrations add, or an operator (an
index, a grant), goes along when the form changes (`repartition.py`).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from refresher.store.session import Db, many, one, run
from refresher.store.tables import metadata

KEYS = {"connection": "id", "refresh_schedule": "connection_id"}
"""The tables, those that others refer to first, and what their rows are spread by."""
ACCOUNT_KEY = "connection_organization_id_provider_external_id_slot_key"
_ACCOUNT = "organization_id, provider, external_id, slot"
# Unique by the account alone no partitioned table can be: there the id, which is computed from it, is.
_UNIQUE = {False: f"UNIQUE ({_ACCOUNT})", True: f"UNIQUE ({_ACCOUNT}, id)"}
_INDEX = re.compile(r"CREATE (UNIQUE )?INDEX .+? ON .+? (USING .*)", re.DOTALL)
_REFERS = re.compile(r"(?<=REFERENCES )[^(]+")


_PARTS = """(
    select cast(:table as regclass) as relid
    union select relid::regclass from pg_partition_tree(cast(:table as regclass))
) t join pg_class c on c.oid = t.relid"""
"""The table and its partitions; Postgres knows no tree of a table without any."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a table takes: rows as Postgres last counted them, bytes of rows, and of its indexes."""

    table: str
    rows: int
    row_bytes: int
    index_bytes: int

    @property
    def whole_bytes(self) -> int:
        """The rows and the indexes."""
        return self.row_bytes + self.index_bytes


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that holds rows, with its pages of 8 kB and its storage settings."""

    name: str
    pages: int
    options: str


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint, or an index; `definition` makes it, with `{table}` and `{name}` to fill in."""

    table: str
    name: str
    definition: str
    refers_to: str = ""


def partitions(db: Db) -> int:
    """Returns in how many partitions the schedule is; 1 where it is one table."""
    sql = "select count(*) from pg_inherits where inhparent = 'refresh_schedule'::regclass"
    return max(1, one(db, int, sql))


def leaves(db: Db, table: str) -> list[Leaf]:
    """Returns the tables that hold the rows: the table itself, or its partitions."""
    sql = f"""
        select quote_ident(c.relname) as name,
            (pg_relation_size(c.oid) / current_setting('block_size')::int)::int as pages,
            coalesce(array_to_string(c.reloptions, ', '), '') as options
        from {_PARTS} where c.relkind = 'r' order by c.relname
        """  # noqa: S608  our own names
    return many(db, Leaf, sql, table=table)


def sizes(db: Db) -> list[Size]:
    """Returns what both tables take."""
    sql = f"""
        select :table as "table",
            greatest(sum(greatest(c.reltuples, 0)), 0)::bigint as rows,
            sum(pg_table_size(c.oid))::bigint as row_bytes,
            sum(pg_indexes_size(c.oid))::bigint as index_bytes
        from {_PARTS} where c.relkind = 'r'
        """  # noqa: S608  our own names
    return [many(db, Size, sql, table=table)[0] for table in KEYS]


def needed_bytes(db: Db) -> int:
    """Returns what both tables take once more, with the WAL of that between two checkpoints."""
    whole = sum(size.whole_bytes for size in sizes(db))
    wal = one(db, int, "select pg_size_bytes(current_setting('max_wal_size'))")
    return whole + min(whole, wal)


def free_bytes(db: Db) -> int | None:
    """Returns the room on the server's disk; None where that is another machine's, or not for us."""
    sql = """
        select case when pg_has_role('pg_read_all_settings', 'usage')
                     and coalesce(inet_server_addr() <<= '127.0.0.0/8', true)
                    then current_setting('data_directory', true) end
        """
    folder = run(db, sql).scalar()
    try:
        return shutil.disk_usage(folder).free if folder else None
    except OSError:
        return None


def columns(db: Db, table: str) -> str:
    """Returns the names of a table's columns, as a list in SQL."""
    sql = """
        select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
        where attrelid = cast(:table as regclass) and attnum > 0 and not attisdropped
          and attgenerated = ''
        """
    return one(db, str, sql, table=table)


def indexes(db: Db, table: str, *, parted: bool) -> list[Constraint]:
    """Returns the indexes, also those of constraints, as they are made on another form of the table."""
    sql = """
        select c.relname as name, pg_get_indexdef(c.oid) as made, pg_get_constraintdef(k.oid) as rule
        from pg_index i join pg_class c on c.oid = i.indexrelid
        left join pg_constraint k on k.conindid = c.oid and k.contype in ('p', 'u')
        where i.indrelid = cast(:table as regclass) order by k.contype, c.relname
        """
    return [
        Constraint(table, row.name, _of_index(row.name, row.made, row.rule, parted=parted))
        for row in run(db, sql, table=table)
    ]


def _of_index(name: str, made: str, rule: str | None, *, parted: bool) -> str:
    if rule is not None:
        rule = _UNIQUE[parted] if name == ACCOUNT_KEY else rule
        return f"alter table {{table}} add constraint {{name}} {rule}"
    found = _INDEX.fullmatch(made)
    assert found is not None, made
    return f"create {found[1] or ''}index {{name}} on {{table}} {found[2]}"


def references(db: Db) -> list[Constraint]:
    """Returns the foreign keys from our tables to these two, those between the two among them."""
    sql = """
        select quote_ident(t.relname) as "table", k.conname as name,
            pg_get_constraintdef(k.oid) as definition, r.relname as refers_to
        from pg_constraint k
        join pg_class t on t.oid = k.conrelid join pg_class r on r.oid = k.confrelid
        where k.contype = 'f' and k.conparentid = 0
          and k.confrelid in ('connection'::regclass, 'refresh_schedule'::regclass)
        order by t.relname, k.conname
        """
    found = many(db, Constraint, sql)
    return [
        Constraint(
            each.table,
            each.name,
            "alter table {table} add constraint {name} "
            + _REFERS.sub("{refers_to}", each.definition),
            each.refers_to,
        )
        for each in found
    ]


def obstacles(db: Db) -> list[str]:
    """Returns what hangs on the tables and is not ours, so that it would be lost, in words."""
    return many(db, str, _OBSTACLES, ours=[*metadata.tables], account_key=ACCOUNT_KEY)


_OBSTACLES = """
    with part as (
        select c.oid, c.relname from pg_class c
        where c.oid in ('connection'::regclass, 'refresh_schedule'::regclass)
           or c.oid in (select inhrelid from pg_inherits
                        where inhparent in ('connection'::regclass, 'refresh_schedule'::regclass))
    )
    select distinct 'the view ' || v.oid::regclass || ' reads ' || p.relname
    from pg_depend d join part p on p.oid = d.refobjid join pg_rewrite r on r.oid = d.objid
    join pg_class v on v.oid = r.ev_class
    where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass
      and v.oid not in (coalesce(to_regclass('connections'), 0), coalesce(to_regclass('due'), 0))
    union select 'the foreign key ' || k.conname || ' of ' || k.conrelid::regclass || ' refers to '
        || p.relname
    from pg_constraint k join part p on p.oid = k.confrelid join pg_class t on t.oid = k.conrelid
    where k.contype = 'f' and k.conparentid = 0 and (t.relname <> all(cast(:ours as text[]))
        or t.relnamespace <> (select relnamespace from pg_class where oid = 'connection'::regclass))
    union select 'the trigger ' || t.tgname || ' is on ' || p.relname
    from pg_trigger t join part p on p.oid = t.tgrelid where not t.tgisinternal
    union select 'the policy ' || l.polname || ' is on ' || p.relname
    from pg_policy l join part p on p.oid = l.polrelid
    union select 'the publication ' || b.pubname || ' sends ' || p.relname
    from pg_publication_rel l join part p on p.oid = l.prrelid
    join pg_publication b on b.oid = l.prpubid
    union select 'a single column of ' || p.relname || ' is granted'
    from pg_attribute a join part p on p.oid = a.attrelid where a.attacl is not null
    union select 'the unique index ' || i.indexrelid::regclass || ' is on ' || p.relname
    from pg_index i join part p on p.oid = i.indrelid join pg_class c on c.oid = i.indexrelid
    where i.indisunique and not i.indisprimary and not c.relispartition
      and c.relname <> :account_key
    order by 1
    """
