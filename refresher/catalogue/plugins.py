"""Finds the plug-ins that entries name: entry points of the group `refresher.strategies`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import cast

from refresher.errors import did_you_mean
from refresher.rules.plugins import Plugin

GROUP = "refresher.strategies"


class NoPlugin(Exception):
    """There is no such plug-in, or it is none; says why, and what to do."""


@cache
def installed(name: str) -> Plugin:
    """Returns the plug-in of this name, imported the first time; raises `NoPlugin`."""
    known = entry_points(group=GROUP)
    found = [point for point in known if point.name == name]
    if not found:
        hint = did_you_mean(name, known.names)
        raise NoPlugin(
            f'plugin is "{name}", but no installed package has such an entry point of {GROUP}{hint}: '
            "install it where refresher runs"
        )
    if len(found) > 1:
        packages = ", ".join(sorted({point.value for point in found}))
        raise NoPlugin(f'plugin is "{name}", which several packages have: keep one of {packages}')
    try:
        loaded = found[0].load()
        made = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:  # noqa: BLE001  a stranger's code
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise NoPlugin(f'plugin "{name}" ({found[0].value}) cannot be loaded: {why}') from None
    if not callable(getattr(made, "request", None)) or not callable(getattr(made, "answer", None)):
        raise NoPlugin(f'plugin "{name}" ({found[0].value}) has no request() and answer()')
    return cast("Plugin", made)
