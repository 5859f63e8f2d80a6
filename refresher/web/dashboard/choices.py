"""What a browser chose for itself: theme, time zone, whether `/` leads to the search. In one cookie."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from refresher.web.dashboard.moments import zone_of

KEPT_SECONDS = 366 * 86_400
THEMES = ("light", "dark")
NAMES = ("theme", "zone", "slash")


def chosen(cookie: str | None) -> dict[str, str]:
    """Returns what a cookie says; what it does not say, or says wrongly, is as usual."""
    given = dict(parse_qsl((cookie or "")[:300]))
    return _known(given)


def written(choices: Mapping[str, str]) -> str:
    """Returns them as a cookie's value."""
    return urlencode({name: choices[name] for name in NAMES})


def _known(given: Mapping[str, str]) -> dict[str, str]:
    theme, zone = given.get("theme", ""), given.get("zone", "")
    return {
        "theme": theme if theme in THEMES else "",
        "zone": zone if zone_of(zone) else "",
        "slash": "off" if given.get("slash") == "off" else "on",
    }
