"""Overview: is all well, and what needs a person."""

from __future__ import annotations

from dataclasses import dataclass

from refresher.web.dashboard.routing import Page, Route
from refresher.web.dashboard.visit import Visit


@dataclass(frozen=True, slots=True)
class OverviewView:
    """What the page shows."""

    sentence: str


def show(_visit: Visit) -> Page:
    """Shows the page."""
    return Page("overview.html", OverviewView("Nothing is told here yet."), "Overview")


ROUTES = (Route("GET", "/ui", show, section="overview"),)
