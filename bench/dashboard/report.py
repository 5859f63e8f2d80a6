"""What was measured, as tables; and how often Postgres read a big table from end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median

from bench.dashboard.asking import Answered
from bench.dashboard.rows import Db

AIM_P50, AIM_P99 = 100.0, 300.0
BIG_ROWS = 20_000
SHOWN = 110
Scans = dict[str, tuple[int, int]]


def scans(db: Db) -> Scans:
    """Returns, of each table of more than 20,000 rows, its sequential scans and the rows they read."""
    db.execute("select pg_sleep(1.5)")  # until every session has told what it did
    db.execute("select pg_stat_clear_snapshot()")
    rows = db.execute(
        "select s.relname, coalesce(s.seq_scan, 0), coalesce(s.seq_tup_read, 0) "
        "from pg_stat_user_tables s join pg_class c on c.oid = s.relid where c.reltuples > %s",
        (BIG_ROWS,),
    ).fetchall()
    return {name: (number, read) for name, number, read in rows}


def table(answered: Sequence[Answered]) -> str:
    """Returns a line for each route: its p50 over all its addresses, and its slowest address."""
    lines = ["| page | addresses | p50 | slowest p50 | slowest p99 |", "|---|---:|---:|---:|---:|"]
    for pattern, group in groupby(sorted(answered, key=_pattern), key=_pattern):
        ones = list(group)
        lines.append(
            f"| `{pattern}` | {len(ones)} | {median(one.p50_ms for one in ones):.0f} ms | "
            f"{max(one.p50_ms for one in ones):.0f} ms | {max(one.p99_ms for one in ones):.0f} ms |"
        )
    return "\n".join([*lines, "", *_beyond(answered)])


def _beyond(answered: Sequence[Answered]) -> list[str]:
    """Returns the addresses beyond the aims, the slowest first."""
    slow = [one for one in answered if one.p50_ms > AIM_P50 or one.p99_ms > AIM_P99 or one.refused]
    slow.sort(key=lambda one: -one.p50_ms)
    return [
        f"beyond: p50 {one.p50_ms:.0f} p99 {one.p99_ms:.0f} ms, {one.refused} refused, by {one.whose}: "
        f"{one.path[:SHOWN]}"
        for one in slow
    ] or [f"Every address: p50 <= {AIM_P50:.0f} ms, p99 <= {AIM_P99:.0f} ms, none refused."]


def scans_told(read: Mapping[str, tuple[int, int]]) -> str:
    """Returns which big tables were read from end to end."""
    if not read:
        return "No big table was read from end to end."
    return "\n".join(
        f"read whole: {name}, {n} times, {rows:,} rows" for name, (n, rows) in read.items()
    )


def _pattern(one: Answered) -> str:
    return one.pattern
