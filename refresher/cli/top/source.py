"""Every look that `refresher top` takes: read only, each bounded in what it reads and in its time.

Nothing here knows the screen; all of it may run in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.catalogue import Catalogue
from refresher.cli.doctor import page_faults
from refresher.insight import explaining, looks, subject
from refresher.insight.doctor import Finding
from refresher.insight.doctor.order import findings
from refresher.insight.explaining import Findings
from refresher.insight.looks import Look, Looks, WorkNow
from refresher.insight.provider_looks import ProviderLook, ProviderLooks
from refresher.insight.sight import Sight
from refresher.insight.subject import Subject
from refresher.rules.provider_standing import ProviderStanding, standing
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings
from refresher.store import event_feed, finding, lists, lookup, troubles, workers
from refresher.store.event_feed import Fed
from refresher.store.lists import Chosen, Listed
from refresher.store.looking import looking
from refresher.store.session import Database, Db
from refresher.store.walks import Place
from refresher.store.workers import ProcessSeen

LIMIT_SECONDS = 3.0
SHOWN = 100
PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Overview:
    """The work at this moment, and the last look at everything, None before the first."""

    work: WorkNow
    look: Look | None


@dataclass(frozen=True, slots=True)
class ProviderSeen:
    """A provider in use: what is known, how it stands, and the database's clock."""

    look: ProviderLook
    standing: ProviderStanding
    now: datetime


@dataclass(frozen=True, slots=True)
class Inspected:
    """One connection: `of` is itself, `found` is about whose grant it uses."""

    of: Subject
    found: Findings


class Source:
    """The looks of one terminal. Safe to use from every thread."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.catalogue: Catalogue = catalogue_from(settings, database)
        sight = Sight(settings, database, self.catalogue)
        self._looks = Looks(sight)
        self._providers = ProviderLooks(sight)

    def close(self) -> None:
        """Ends its threads."""
        self._looks.close()

    def reading(self) -> AbstractContextManager[Db]:
        """Opens a transaction that only reads, and whose statements end after 3 s."""
        return looking(self.database, LIMIT_SECONDS)

    def overview(self) -> Overview:
        """Looks at the work, and at what needs a person."""
        work = looks.work_now(self.settings, self.database)
        return Overview(work, self._looks.seen(None, patience_seconds=PATIENCE_SECONDS).look)

    def connections(self, chosen: Chosen, after: Place | None) -> Listed:
        """Lists connections; raises `NoPlace` for a place of another list."""
        with self.reading() as db:
            return lists.page(db, chosen, after=after, limit=SHOWN)

    def find(self, text: str) -> Listed:
        """Lists what a text may mean; raises `Unsearchable`."""
        with self.reading() as db:
            return finding.search(db, text, limit=SHOWN, sees_deleted=True)

    def providers(self) -> Sequence[ProviderSeen]:
        """Looks at the providers in use."""
        with self.reading() as db:
            now = troubles.now(db)
            every = self._providers.every(db, None)
        return [ProviderSeen(one, standing(one.facts, now), now) for one in every]

    def processes(self) -> Sequence[ProcessSeen]:
        """Looks at who works."""
        with self.reading() as db:
            return workers.processes(db)

    def lately(self) -> Sequence[Fed]:
        """Returns the newest events, the newest first."""
        with self.reading() as db:
            return event_feed.newest(db, limit=SHOWN)

    def inspect(self, connection_id: UUID) -> Inspected | None:
        """Looks at one connection; None where it is gone."""
        with self.reading() as db:
            of = subject.find(db, self.catalogue, connection_id, None)
            root = lookup.root_of(db, connection_id) if of else None
        if of is None or root is None:
            return None
        found = explaining.gather(self.reading, self.settings, self.catalogue, root)
        return Inspected(of, found)

    def doctor(self) -> Sequence[Finding]:
        """Checks everything, as `refresher doctor` does; takes a second or some."""
        return list(findings(self.settings, page_faults))
