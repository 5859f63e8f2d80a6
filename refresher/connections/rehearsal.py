"""Says what an import would come to, and writes nothing: judged as by `registration.take`.

What only the database itself would refuse stays unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from refresher.catalogue.entries import DEFAULT_APP
from refresher.connections.registration import Known, Registered, judged, known_of
from refresher.rules.connection import ParkReason
from refresher.rules.registering import Arrival
from refresher.rules.registration import NewConnection
from refresher.rules.seen import Seen
from refresher.runtime.services import Services
from refresher.store.registration import Prepared


@dataclass(slots=True)
class Outlook:
    """What is seen of an import so far; each count is of connections, tokens beside them aside."""

    apps: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By provider and app."""
    missing_apps: Counter[tuple[str, str]] = field(default_factory=Counter)
    parked: Counter[str] = field(default_factory=Counter)
    """By why they would not be refreshed."""
    expired: int = 0
    """Their access token has ended already."""
    without_refresh_token: int = 0
    seen: Seen = field(default_factory=Seen)
    """Those that would be roots for the chunks that follow."""


def rehearse(services: Services, chunk: Sequence[NewConnection], outlook: Outlook) -> Registered:
    """Returns what `take` would; `outlook` gets more of it."""
    with services.database.transaction() as db:
        known = known_of(services, db, chunk, held=False)
    known.roots |= {c.root_id for c in chunk if c.root_id and c.root_id in outlook.seen}
    known.apps = _with_file(services, known)
    told = Registered()
    for kind, row in judged(services, chunk, known, told.rejected):
        if row.slot_of is not None:
            continue
        told.created += kind is Arrival.NEW
        told.reconnected += kind is Arrival.RECONNECT
        told.updated += kind is Arrival.UPDATE
        _look(row, known, outlook)
        if row.root_id is None:
            outlook.seen.add(row.id, 0)
    return told


def _with_file(services: Services, known: Known) -> dict[tuple[str, str], frozenset[str]]:
    """Returns the stored apps, and those that the import would store from the providers file."""
    of_file = {
        (app.provider, app.name): frozenset(app.client.placeholders)
        for app in services.catalogue.apps
    }
    return {**known.apps, **of_file}


def _look(row: Prepared, known: Known, outlook: Outlook) -> None:
    before = known.before.get(row.id)
    app = (row.provider, row.app_name or (before.app_name if before else DEFAULT_APP))
    outlook.apps[app] += 1
    if row.park_reason is not None and row.root_id is None:
        outlook.parked[row.park_reason] += 1
        outlook.missing_apps[app] += row.park_reason == ParkReason.APP_NOT_CONFIGURED
    if row.access_token is not None:
        left = row.expires_in_seconds
        outlook.expired += left is not None and left <= 0
        outlook.without_refresh_token += row.refresh_token is None
