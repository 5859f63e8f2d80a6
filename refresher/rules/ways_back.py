"""By which link a connection's account is connected again: one of three. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refresher.rules.addresses import RECONNECT_WORDS, fill, template_fault


@dataclass(frozen=True, slots=True)
class BySession:
    """A connect session: the person signs in at the provider, and that is all."""


@dataclass(frozen=True, slots=True)
class ByPage:
    """The page that the organization, or the installation, named; why ours is none."""

    url: str
    why_not: str


@dataclass(frozen=True, slots=True)
class ByProgram:
    """A resume link: a program that has new tokens POSTs them to it; why nobody can sign in here."""

    why_not: str


WayBack = BySession | ByPage | ByProgram


def way_back(
    why_not: str | None, templates: tuple[str | None, ...], values: Mapping[str, object]
) -> WayBack:
    """Returns the way; `why_not`: why nobody can connect here, `templates`: pages, the first counts.

    A template that was stored before today's rules, and breaks them, is none.
    """
    if why_not is None:
        return BySession()
    good = (t for t in templates if t and template_fault(t, RECONNECT_WORDS) is None)
    page = next(good, None)
    return ByProgram(why_not) if page is None else ByPage(fill(page, values), why_not)
