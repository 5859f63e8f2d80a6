"""Ways through the connections, each in the order of an index, a bounded piece at a time.

A walk names candidates: schedule rows or connections, the first 3,000 behind a place. Of each, its
siblings are looked at, too, and what does not fit is left out. So a list costs what is looked at, never
what there is; where the look ends before enough was found, it says so, and goes on from there.
Every join is a look-up by key (`limit 1` keeps the planner from reading a table instead).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.standing_word import LATE_SECONDS, Health
from refresher.store.session import Db, one, run
from refresher.store.words import BLOCKED, SET_ASIDE

MOST_LOOKED = 3_000
"""So many candidates one look takes; of each its siblings, its root and its schedule row are read."""
Place = tuple[str, ...]
"""The name of a walk and where on it: what is behind it comes next."""
LAST = UUID(int=2**128 - 1)


class NoPlace(ValueError):
    """A place that none of our lists has told."""


@dataclass(frozen=True, slots=True)
class Walk:
    """`wheres` choose candidates, `keys` (column, SQL type) are their order.

    `fixed` is how many of the keys are one value throughout: they are no part of an order, so that the
    planner sees that an index has it. `flag`: siblings for which it holds are candidates themselves.
    `by_due`: all candidates are taken, and ordered by their due time.
    """

    name: str
    keys: tuple[tuple[str, str], ...]
    wheres: tuple[str, ...] = ("true",)
    source: str = "connection"
    flag: str = ""
    with_siblings: bool = False
    by_due: bool = False
    fixed: int = 0

    @property
    def order(self) -> str:
        """The order in words."""
        if self.by_due or self.keys == DUE:
            return "what is due first"
        words = [IN_WORDS[column] for column, _ in self.keys if column in IN_WORDS]
        return ", ".join(words) or "id"

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """The columns that a place behind a row of the list is made of."""
        if self.by_due:
            return (("s.due_at", "timestamptz"), ("c.id", "uuid"))
        own = tuple((f"{self._alias}.{column}", kind) for column, kind in self.keys)
        return (*own, ("c.id", "uuid")) if self.with_siblings else own

    @property
    def _alias(self) -> str:
        """What a candidate is called: it is the schedule row, or the connection, or one of several."""
        if self.source == "refresh_schedule":
            return "s"
        return "l" if self.with_siblings else "c"

    def candidates(self, *, goes_on: bool, columns: str = "*") -> str:
        """Returns the SQL of the candidates, `:most` at most."""
        order = ", ".join(column for column, _ in self.keys[self.fixed :])
        behind = f"and {self._from()}" if goes_on and not self.by_due else ""
        # In parentheses, so that each has its own order and its own end.
        parts = [
            f"(select {columns} from {self.source} where {where} {behind} "  # noqa: S608  our own text
            f"order by {order} limit :most)"
            for where in self.wheres
        ]
        if len(parts) == 1:
            return parts[0]
        return (
            f"(select * from ({' union all '.join(parts)}) u "  # noqa: S608  our own text
            f"order by {order} limit :most)"
        )

    def beyond(self) -> str:
        """Returns the SQL that has a row where there are more than `:most`; an index alone has that."""
        return (
            f"select 1 from {self.source} where {self.wheres[0]} "  # noqa: S608  our own text
            f"order by {self.keys[self.fixed][0]} offset :most limit 1"
        )

    def _from(self) -> str:
        """The condition that candidates begin at the place, by the first column alone as well."""
        casts = [f"cast(:after_{n} as {kind})" for n, (_, kind) in enumerate(self.keys)]
        columns = ", ".join(column for column, _ in self.keys)
        return f"{self.keys[0][0]} >= {casts[0]} and ({columns}) >= ({', '.join(casts)})"

    def behind(self) -> str:
        """The condition that rows are behind the place."""
        columns = ", ".join(column for column, _ in self.places)
        casts = ", ".join(f"cast(:after_{n} as {kind})" for n, (_, kind) in enumerate(self.places))
        return f"({columns}) > ({casts})"

    def rows(self, conditions: str, *, goes_on: bool, whole: bool = False) -> str:
        """Returns the SQL from `from` on: `c`, its root `r`, its schedule row `s`, under conditions.

        Without `whole`, `r` and `s` are left out where no condition needs them.
        """
        if self.source == "refresh_schedule":
            joined = _OF_SCHEDULE
            # Who shares a grant is of the same organization: nobody looks for others' siblings.
            mine = "c.organization_id = :organization_id"
            conditions += f" and r.{mine[2:]}" if mine in conditions else ""
        else:
            joined = _WITH_SIBLINGS.format(flag=self.flag) if self.with_siblings else ""
            # The rest costs as much as the candidate itself, and most lists ask for nothing of it.
            is_whole = whole or self.by_due or _OF_ROOT.search(conditions)
            joined += _ROOT if is_whole else ""
        behind = f"and {self.behind()}" if goes_on else ""
        return f"""
            from {self.candidates(goes_on=goes_on)} {self._alias} {joined}
            where {conditions} {"and s.state = 0" if self.by_due else ""} {behind}
            """

    def after(self, place: Sequence[str]) -> dict[str, str]:
        """Returns the values of a place; raises `NoPlace` for what is none."""
        if len(place) != len(self.places):
            raise NoPlace
        for text, (_, kind) in zip(place, self.places, strict=True):
            _check(text, kind)
        return {f"after_{n}": text for n, text in enumerate(place)}


_OF_ROOT = re.compile(r"\b[rs]\.")
_OF_SCHEDULE = """
    cross join lateral (select * from connection where id = s.connection_id limit 1) r
    cross join lateral (
        select r.* union all select b.* from connection b where b.root_id = s.connection_id) c
    """
_WITH_SIBLINGS = """
    cross join lateral (
        select l.* union all select b.* from connection b where b.root_id = l.id and not ({flag})) c
    """
_ROOT = """
    left join lateral (select * from connection where id = c.root_id limit 1) p on true
    cross join lateral (select coalesce(p.id, c.id) as id,
        case when p.id is null then c.status else p.status end as status,
        case when p.id is null then c.expires_at else p.expires_at end as expires_at,
        case when p.id is null then c.app_name else p.app_name end as app_name) r
    left join lateral (select * from refresh_schedule where connection_id = r.id limit 1) s on true
    """


def _check(text: str, kind: str) -> None:
    try:
        if kind == "uuid":
            UUID(text)
        elif kind == "timestamptz" and datetime.fromisoformat(text).tzinfo is None:
            raise NoPlace
    except ValueError:
        raise NoPlace from None


IN_WORDS = {
    "organization_id": "organization",
    "provider": "provider",
    "external_id": "external id",
    "parked_reason": "reason",
}
ID = (("id", "uuid"),)
CONNECTION_ID = (("connection_id", "uuid"),)
DUE = (("due_at", "timestamptz"), ("connection_id", "uuid"))
ACCOUNT = tuple((c, "text") for c in ("organization_id", "provider", "external_id", "slot"))
TROUBLED = "state = 0 and (attempt > 0 or postponed_by is not null)"
LATE_SINCE = f"refresher_now() - interval '{LATE_SECONDS} seconds'"


def _set_aside(word: Health) -> Walk:
    flag = SET_ASIDE[word]
    return Walk(word, ID, (flag,), flag=flag, with_siblings=True)


def _scheduled(name: str, keys: tuple[tuple[str, str], ...], *wheres: str) -> Walk:
    return Walk(name, keys, wheres, source="refresh_schedule", with_siblings=True)


TROUBLE = _scheduled("waiting", DUE, TROUBLED)
TROUBLE_TO_COME = _scheduled("to come", DUE, f"{TROUBLED} and due_at > refresher_now()")
OVERDUE = _scheduled("overdue", DUE, "state = 0 and due_at <= refresher_now()")
BY_REASON = _scheduled("reason", CONNECTION_ID, "state = 2 and parked_reason = :parked_reason")
PARKED = _scheduled("parked", (("parked_reason", "text"), *CONNECTION_ID), "state = 2")
LEASED = _scheduled("leased", CONNECTION_ID, "state = 1")
NEXT = _scheduled("next", DUE, "state = 0")
WORDS = {
    **{Health(word): _set_aside(Health(word)) for word in SET_ASIDE},
    Health.RECONNECT_REQUIRED: _scheduled(
        "reconnect", CONNECTION_ID, "state = 2 and parked_reason = 'reconnect_required'"
    ),
    Health.BLOCKED: _scheduled("blocked", CONNECTION_ID, BLOCKED),
    Health.REFRESHING: LEASED,
    # A dead token's row is overdue, or waits because of trouble. Their due times do not overlap.
    Health.EXPIRED: _scheduled(
        "expired",
        DUE,
        "state = 0 and due_at <= refresher_now()",
        *TROUBLE_TO_COME.wheres,
    ),
    Health.WAITING: TROUBLE,
    Health.RETRYING: TROUBLE,
    Health.LATE: _scheduled("late", DUE, f"state = 0 and due_at <= {LATE_SINCE}"),
}
"""The walk on which all of a word stand; the fresh ones stand on any."""
ACCOUNTS = Walk("accounts", ACCOUNT)
OF_ORGANIZATION = Walk("organization", ACCOUNT, ("organization_id = :organization_id",), fixed=1)
OF_BOTH = Walk(
    "both", ACCOUNT, ("organization_id = :organization_id and provider = :provider",), fixed=2
)
OF_PROVIDER = Walk("provider", (("external_id", "text"), *ID), ("provider = :provider",))
OF_EXTERNAL_ID = Walk("external_id", ID, ("external_id = :external_id",))


_PLANS = (
    "select set_config('enable_seqscan', '{0}', true), set_config('enable_bitmapscan', '{0}', true)"
)


@contextmanager
def by_index(db: Db) -> Iterator[None]:
    """Keeps the planner from reading what is hardly larger than one look whole, to sort it then."""
    run(db, _PLANS.format("off"))
    yield
    run(db, _PLANS.format("on"))


def is_small(db: Db, walk: Walk, values: Mapping[str, Any]) -> bool:
    """Whether a walk has no more candidates than one look takes, so that the look is whole.

    What the planner expects answers for most; else they are counted, and by their index: just then it
    would rather read the whole table.
    """
    if expected(db, walk, values) > 2 * MOST_LOOKED:
        return False
    with by_index(db):
        return run(db, walk.beyond(), **{**values, "most": MOST_LOOKED - 1}).first() is None


def expected(db: Db, walk: Walk, values: Mapping[str, Any], where: str = "true") -> int:
    """Returns how many candidates the planner expects, under one more condition."""
    sql = f"explain (format json) select 1 from {walk.source} where {walk.wheres[0]} and {where}"  # noqa: S608
    return int(one(db, list, sql, **values)[0]["Plan"]["Plan Rows"])
