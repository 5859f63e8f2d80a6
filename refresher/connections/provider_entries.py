"""Connections whose provider has no entry, or a wrong one, wait; they go on when it is there.

Whoever misses an entry looks at the providers file again (`catalogue/watching.py`); the scheduler finds
the rows that were parked meanwhile.
"""

from __future__ import annotations

import structlog

from refresher.connections.oauth_apps import sync_apps
from refresher.runtime.services import Services
from refresher.store import state_changes

log = structlog.get_logger()


class ProviderEntries:
    """Watches which entries there are, for one scheduler."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known: frozenset[str] = frozenset()  # asked for when the database is there

    def look(self) -> None:
        """Takes in what the providers file has by now and lacked, and has those go on who waited."""
        catalogue = self._services.catalogue
        catalogue.look_again()
        if catalogue.usable != self._known:
            sync_apps(self._services)
            self.resume()

    def resume(self) -> None:
        """Makes the rows due that wait for an entry which is there: other processes parked them."""
        self._known = known = self._services.catalogue.usable
        with self._services.database.transaction() as db:
            resumed = state_changes.resume_known(db, known)
        if resumed:
            log.info("their provider has an entry now: connections go on", resumed=resumed)
