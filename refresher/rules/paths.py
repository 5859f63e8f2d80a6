"""Ways into an answer: names, and numbers that step into lists; several where one may lead nowhere."""

from __future__ import annotations

from typing import Any

from refresher.rules.bodies import at
from refresher.rules.providers import Path, Paths


def ways(paths: Paths) -> tuple[Path, ...]:
    """Returns the ways that a field of an entry gives: one, or several in their order."""
    given: Any = paths
    found: tuple[Path, ...] = given if paths and isinstance(paths[0], tuple) else (given,)
    return found


def first_at(value: object, paths: Paths) -> object:
    """Returns what stands at the end of the first way that leads to something, else None."""
    given: Any = paths
    if not given or type(given[0]) is not tuple:
        return at(value, given)
    for path in given:
        found = at(value, path)
        if found is not None and found != "":
            return found
    return None


def placed(path: Path, value: object, into: object = None) -> object:
    """Returns `into` with a value at the end of `path`, unless something else stands on the way."""
    if not path:
        return value if into is None else into
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        items = list(into) if isinstance(into, list) else []
        items += [None] * (max(key + 1, -key) - len(items))
        items[key] = placed(rest, value, items[key])
        return items if into is None or isinstance(into, list) else into
    if into is not None and not isinstance(into, dict):
        return into
    known = into or {}
    return {**known, key: placed(rest, value, known.get(key))}
