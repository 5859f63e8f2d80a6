"""What the address of the list of connections asks for; what cannot be taken falls back and is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from refresher.rules.intake_fields import MAX_TEXT_LENGTH
from refresher.rules.standing_word import Health
from refresher.store.lists import Chosen, Order
from refresher.web.dashboard.rendering import url
from refresher.web.dashboard.visit import Visit

FILTERS = ("health", "provider", "app", "organization", "order")
MOST_TOLD = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """`query` are the parameters that count; `find` is what is searched for, without the rest."""

    chosen: Chosen
    query: Mapping[str, str]
    find: str
    cursor: str | None
    is_bound: bool

    @property
    def filters(self) -> dict[str, str]:
        """Every filter by its name, empty where it is not used."""
        return {name: self.query.get(name, "") for name in FILTERS}

    @property
    def narrows(self) -> dict[str, str]:
        """The filters that leave somebody out, by their names in the address."""
        return {name: value for name, value in self.query.items() if name != "order"}

    def address(self, **changes: str | None) -> str:
        """Returns this page's address with changes; None leaves a parameter out."""
        return url("/ui/connections", **{**self.query, "cursor": self.cursor, **changes})


def read(visit: Visit) -> tuple[Asked, tuple[str, ...]]:
    """Returns what is asked for, and sentences about what is not as asked."""
    given = {name: visit.query.get(name, "").strip() for name in FILTERS}
    told: list[str] = []
    for name, value in given.items():
        if not value.isprintable() or len(value) > MAX_TEXT_LENGTH:
            told.append(f"What the address has as {name} can be none: it is left away.")
            given[name] = ""
    if given["health"] and given["health"] not in set(Health):
        told.append(f"There is no word of health “{_short(given['health'])}”: all are shown.")
        given["health"] = ""
    if given["order"] not in {"", *get_args(Order)}:
        told.append(f"There is no order “{_short(given['order'])}”: they stand by account.")
        given["order"] = ""
    find = visit.query.get("find", "").strip()
    narrowing = [name for name in FILTERS[:3] if given[name]]
    if find and narrowing:
        told.append(f"A search goes through all: {' and '.join(narrowing)} do not narrow it.")
    asked = Asked(
        _chosen(visit, given),
        {name: value for name, value in given.items() if value},
        find,
        visit.query.get("cursor") or None,
        is_bound=not visit.is_everybodys,
    )
    return asked, tuple(told)


def _chosen(visit: Visit, given: Mapping[str, str]) -> Chosen:
    word = Health(given["health"]) if given["health"] else None
    return Chosen(
        health=word,
        provider=given["provider"] or None,
        app=given["app"] or None,
        organization_id=visit.key.organization_id or given["organization"] or None,
        order="due" if given["order"] == "due" else "account",
        slots=word is not None,
        sees_deleted=visit.is_everybodys,
    )


def _short(text: str) -> str:
    return text if len(text) <= MOST_TOLD else f"{text[:MOST_TOLD]}…"
