"""How many connections there are of each word, and in all: bounded, then as the planner expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refresher.rules.standing_word import Health
from refresher.store import walks
from refresher.store.session import Db, one, run
from refresher.store.walks import MOST_LOOKED, Walk
from refresher.store.words import HEALTH


@dataclass(frozen=True, slots=True)
class Counted:
    """A number; where `is_capped`, there are at least so many."""

    number: int
    is_capped: bool = False


COUNTED = (
    *(Health.RECONNECT_REQUIRED, Health.BLOCKED, Health.REFRESHING),
    *(Health.CONNECTING, Health.PAUSED, Health.DISABLED),
)
"""Words with a walk of their own; the others share the rows that are overdue or in trouble."""
_LIVING = "c.deleted_at is null"
_MINE = f"{_LIVING} and c.organization_id = :organization_id"


def counts(db: Db, organization_id: str | None = None) -> dict[Health, Counted]:
    """Returns how many stand so, of one organization or of all; not how many are fresh or deleted.

    Where there are more than 10,000 candidates of a word, its number ends there. Slots count.
    """
    if organization_id is not None:
        whole = _grouped(db, walks.OF_ORGANIZATION, organization_id)
        if not whole.is_cut:
            return {word: Counted(whole.of(word)) for word in Health if word in walks.WORDS}
    found = {word: _of_word(db, word, organization_id) for word in COUNTED}
    overdue = _grouped(db, walks.OVERDUE, organization_id)
    troubled = _grouped(db, walks.TROUBLE_TO_COME, organization_id)
    for word in (Health.EXPIRED, Health.WAITING, Health.RETRYING, Health.LATE):
        is_capped = troubled.is_cut if word is not Health.LATE else overdue.is_cut
        is_capped = is_capped or (word is Health.EXPIRED and overdue.is_cut)
        found[word] = Counted(overdue.of(word) + troubled.of(word), is_capped)
    return found


def about(db: Db, organization_id: str | None = None) -> Counted:
    """Returns how many connections there are in all: exact to 10,000, else what the planner expects."""
    where = "deleted_at is null and slot_of is null" + (
        "" if organization_id is None else " and organization_id = :organization_id"
    )
    values = {"organization_id": organization_id, "most": MOST_LOOKED + 1}
    sql = f"select count(*) from (select 1 from connection where {where} limit :most) c"  # noqa: S608
    exact = one(db, int, sql, **values)
    if exact <= MOST_LOOKED:
        return Counted(exact)
    plan = one(db, list, f"explain (format json) select 1 from connection where {where}", **values)  # noqa: S608
    return Counted(max(MOST_LOOKED, int(plan[0]["Plan"]["Plan Rows"])), is_capped=True)


@dataclass(frozen=True, slots=True)
class _Grouped:
    words: Mapping[str, int]
    is_cut: bool

    def of(self, word: Health) -> int:
        return self.words.get(word, 0)


def _of_word(db: Db, word: Health, organization_id: str | None) -> Counted:
    walk = walks.WORDS[word]
    if organization_id is None and _is_cut(db, walk, {}):
        return Counted(MOST_LOOKED, is_capped=True)  # without a look at each
    found = _grouped(db, walk, organization_id)
    return Counted(min(found.of(word), MOST_LOOKED), found.is_cut)


def _grouped(db: Db, walk: Walk, organization_id: str | None) -> _Grouped:
    values: dict[str, Any] = {"organization_id": organization_id, "most": MOST_LOOKED}
    fits = _LIVING if organization_id is None else _MINE
    sql = f"select {HEALTH} as word, count(*) as n {walk.rows(fits, goes_on=False)} group by 1"
    words = {row.word: row.n for row in run(db, sql, **values)}
    return _Grouped(words, _is_cut(db, walk, values))


def _is_cut(db: Db, walk: Walk, values: Mapping[str, Any]) -> bool:
    sql = f"select 1 from {walk.candidates(goes_on=False)} q offset :most - 1"  # noqa: S608
    return run(db, sql, **{**values, "most": MOST_LOOKED + 1}).first() is not None
