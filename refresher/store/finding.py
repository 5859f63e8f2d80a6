"""Finds connections by what people type: an id or its beginning, an external id's, a name's.

Each by its index, whatever the size of the table. Within one organization everything it has is looked
at where that is no more than 3,000; of a larger one, the first 3,000 that anybody has that fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from refresher.errors import RefresherError
from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.store import lists
from refresher.store.lists import Listed
from refresher.store.lookup import HIGHEST
from refresher.store.session import Db, many, run
from refresher.store.walks import MOST_LOOKED, OF_ORGANIZATION, by_index, is_small

SHORTEST_ID = 4
WHOLE_ID = 32
FINDS = (
    "A search finds external ids and names by their beginning, and ids by 4 digits or more; "
    "not what stands within them."
)
"""What is told where nothing was found."""


class Unsearchable(RefresherError):
    """Nothing that is stored looks like this."""


@dataclass(frozen=True, slots=True)
class _By:
    """One way: the condition, which an index serves, and the order in which it has the entries."""

    where: str
    order: str


_BY_EXTERNAL_ID = _By("external_id ~>=~ :text and external_id ~<=~ :above", "external_id using ~<~")
_BY_NAME = _By(
    "name is not null and lower(name) ~>=~ lower(:text) and lower(name) ~<=~ lower(:above)",
    "lower(name) using ~<~",
)
_BY_ID = _By("id between :low and :high", "id")


def readable(text: str) -> str:
    """Returns what is searched for; raises `Unsearchable` for what no id and no name can be."""
    wanted = text.strip()
    if len(wanted) > MAX_TEXT_LENGTH:
        raise Unsearchable(
            f"that is {len(wanted):,} characters long, and no id or name has more than "
            f"{MAX_TEXT_LENGTH}: search for its beginning"
        )
    if not wanted.isprintable():
        raise Unsearchable("that holds a control character, which no id or name has")
    return wanted


def ends(text: str, shortest: int = SHORTEST_ID) -> tuple[UUID, UUID] | None:
    """Returns the first and the last id that begin like this, None where it is no beginning of one."""
    digits = text.strip().replace("-", "").lower()
    if re.fullmatch(rf"[0-9a-f]{{{shortest},{WHOLE_ID}}}", digits) is None:
        return None
    return UUID(digits.ljust(WHOLE_ID, "0")), UUID(digits.ljust(WHOLE_ID, "f"))


def search(
    db: Db,
    text: str,
    organization_id: str | None = None,
    *,
    limit: int = 50,
    sees_deleted: bool = False,
) -> Listed:
    """Returns connections that a text may mean: by external id, by name, by id; exact ones first.

    There is no next page: who finds more than `limit` types more of it (`is_cut`). Raises
    `Unsearchable`.
    """
    wanted = readable(text)
    between = ends(wanted) or (None, None)
    values: dict[str, Any] = {
        "text": wanted, "low": between[0], "high": between[1], "above": wanted + HIGHEST,
        "organization_id": organization_id, "most": MOST_LOOKED, "limit": limit + 1,
    }  # fmt: skip
    ways = [_BY_EXTERNAL_ID, _BY_NAME, *([_BY_ID] if between[0] else [])] if wanted else []
    seen = "slot_of is null" + ("" if sees_deleted else " and deleted_at is null")
    if organization_id is not None and is_small(db, OF_ORGANIZATION, values):
        with by_index(db):
            found, is_cut = _within(db, ways, seen, values), False
    else:
        with by_index(db):
            found, is_cut = _overall(db, ways, seen, values)
    ordered = sorted(dict.fromkeys(found), key=lambda one: one[1] != wanted)  # stable
    shown = lists.rows(db, [id_ for id_, _ in ordered[:limit]])
    is_cut = is_cut or len(ordered) > limit
    return Listed(shown, None, looked=MOST_LOOKED if is_cut else 0, is_cut=is_cut)


Named = tuple[UUID, str]
"""An id, and the external id or the id in words, as it could have been typed."""


def _within(db: Db, ways: list[_By], seen: str, values: dict[str, Any]) -> list[Named]:
    """Looks at everything that one organization has."""
    if not ways:
        return []
    whole = OF_ORGANIZATION.candidates(goes_on=False)
    fits = " or ".join(f"({way.where})" for way in ways)
    first = " ".join(f"when {way.where} then {n}" for n, way in enumerate(ways))
    sql = (
        f"select id, external_id from {whole} c where {seen} and ({fits}) "  # noqa: S608  our own text
        f"order by case {first} end, external_id using ~<~ limit :limit"
    )
    return [(row.id, row.external_id) for row in run(db, sql, **values)]


def _overall(
    db: Db, ways: list[_By], seen: str, values: dict[str, Any]
) -> tuple[list[Named], bool]:
    """Looks by the index of each way; tells whether it ended before its entries did."""
    found, is_cut = list[Named](), False
    mine = "true" if values["organization_id"] is None else "organization_id = :organization_id"
    for way in ways:
        looked = f"select * from connection where {way.where} order by {way.order} limit :most"  # noqa: S608
        sql = f"select id, external_id from ({looked}) c where {seen} and {mine} limit :limit"  # noqa: S608
        fitting = [(row.id, row.external_id) for row in run(db, sql, **values)]
        found += fitting
        if len(fitting) < values["limit"]:
            ended = f"select 1 from ({looked}) c offset :most - 1"  # noqa: S608
            is_cut = is_cut or bool(many(db, int, ended, **values))
    return found, is_cut
