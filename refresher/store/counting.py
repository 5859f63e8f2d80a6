"""How many connections there are of each word, and in all: bounded, then as the planner expects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from refresher.rules.standing_word import Health
from refresher.store import walks
from refresher.store.session import Db, one, run
from refresher.store.walks import MOST_LOOKED, Walk, by_index, expected, is_small
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
MOST_COUNTED = 10_000
"""So many entries of an index alone are counted."""
FEW = MOST_GROUPED = 1_000
"""So many candidates are each looked at; of more their number counts."""
_ALL = "deleted_at is null and slot_of is null"
_LIVING = "c.deleted_at is null"
_MINE = f"{_LIVING} and c.organization_id = :organization_id"


def counts(db: Db, organization_id: str | None = None) -> dict[Health, Counted]:
    """Returns how many stand so, of one organization or of all; not how many are fresh or deleted.

    Exact while they are few. Of many, those that share a grant are not counted, and of an organization
    with more than 3,000 connections, or of what waits, the first 1,000 candidates are looked at.
    """
    own = {"organization_id": organization_id}
    if organization_id is not None and is_small(db, walks.OF_ORGANIZATION, own):
        whole = _grouped(db, walks.OF_ORGANIZATION, organization_id, MOST_LOOKED)
        return {word: Counted(whole.of(word)) for word in Health if word in walks.WORDS}
    found = {word: _of_word(db, word, organization_id) for word in COUNTED}
    overdue = _grouped(db, walks.OVERDUE, organization_id, MOST_GROUPED)
    troubled = _grouped(db, walks.TROUBLE_TO_COME, organization_id, MOST_GROUPED)
    for word in (Health.EXPIRED, Health.WAITING, Health.RETRYING, Health.LATE):
        is_capped = troubled.is_cut if word is not Health.LATE else overdue.is_cut
        is_capped = is_capped or (word is Health.EXPIRED and overdue.is_cut)
        found[word] = Counted(overdue.of(word) + troubled.of(word), is_capped)
    return found


def about(db: Db, organization_id: str | None = None) -> Counted:
    """Returns how many connections there are in all: exact to 3,000, else what the planner expects."""
    own = {"organization_id": organization_id}
    walk = walks.ACCOUNTS if organization_id is None else walks.OF_ORGANIZATION
    some = expected(db, walk, own, _ALL)
    if some > 2 * MOST_LOOKED:
        return Counted(some, is_capped=True)
    sql = (
        f"select count(*) from (select 1 from connection where {walk.wheres[0]} and {_ALL} "  # noqa: S608
        "order by organization_id, provider, external_id limit :most) c"
    )
    exact = one(db, int, sql, **own, most=MOST_LOOKED + 1)
    return Counted(exact) if exact <= MOST_LOOKED else Counted(max(exact, some), is_capped=True)


@dataclass(frozen=True, slots=True)
class _Grouped:
    words: Mapping[str, int]
    is_cut: bool

    def of(self, word: Health) -> int:
        return self.words.get(word, 0)


def _of_word(db: Db, word: Health, organization_id: str | None) -> Counted:
    walk = walks.WORDS[word]
    if organization_id is None:
        column, most = walk.keys[0][0], MOST_COUNTED + 1
        looked = walk.candidates(goes_on=False, columns=column)
        number = one(db, int, f"select count(*) from {looked} q", most=most)  # noqa: S608
        if number > FEW:
            return Counted(min(number, MOST_COUNTED), number > MOST_COUNTED)
    found = _grouped(db, walk, organization_id, MOST_GROUPED)
    return Counted(found.of(word), found.is_cut)


def _grouped(db: Db, walk: Walk, organization_id: str | None, most: int) -> _Grouped:
    values: dict[str, Any] = {"organization_id": organization_id}
    fits = _LIVING if organization_id is None else _MINE
    found = walk.rows(fits, goes_on=False, whole=True)
    sql = f"select {HEALTH} as word, count(*) as n {found} group by 1"
    with by_index(db):
        words = {row.word: row.n for row in run(db, sql, **values, most=most)}
    return _Grouped(words, _is_beyond(db, walk, organization_id, most))


def _is_beyond(db: Db, walk: Walk, organization_id: str | None, most: int) -> bool:
    return run(db, walk.beyond(), organization_id=organization_id, most=most).first() is not None
