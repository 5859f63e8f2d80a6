"""One import from its source to what is told of it: stored, verified, or only rehearsed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from refresher.cli import import_report, import_verify, session
from refresher.cli.import_export import Incoming
from refresher.cli.import_rejects import MOST_SHOWN, Rejects
from refresher.cli.import_report import Refused
from refresher.cli.import_run import Ahead, ImportLine, ImportRun, Reject, Taker
from refresher.cli.import_source import Source
from refresher.cli.output import note
from refresher.cli.progress import progress
from refresher.connections.oauth_apps import sync_apps
from refresher.connections.registration import Registered
from refresher.connections.rehearsal import Outlook
from refresher.rules.registration import NewConnection
from refresher.runtime.services import Services


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be imported; each deed returns whether all is well."""

    services: Services
    read: Source
    incoming: Incoming
    from_line: int
    json: bool

    def rehearse(self) -> bool:
        """Says what would come of it."""
        started, refused, outlook = time.monotonic(), Refused(), Outlook()
        incoming = self.incoming
        run = ImportRun(refused.add, lambda c: incoming.rehearse(c, outlook), incoming.read)
        self._run(run)
        seconds = time.monotonic() - started
        told = import_report.Rehearsed(run.counts, refused, outlook, seconds, self.read.unit)
        import_report.rehearsed(told, json=self.json)
        return self._is_well(run)

    def store(self, kept: Rejects, verify_rate: float | None) -> bool:
        """Stores it, and refreshes each once where that is wanted, so many a second."""
        started, stored = time.monotonic(), list[UUID]()
        for name in sync_apps(self.services):
            note(f"Stored the app {name} of the providers file.")
        taker, ahead = self._taking(None if verify_rate is None else stored)
        run = ImportRun(self._rejecting(kept), taker, self.incoming.read, ahead)
        try:
            self._run(run)
        except BaseException:
            self._tell_interrupted(run)
            raise
        seconds = time.monotonic() - started
        if verify_rate is None:
            import_report.summarize(self.services, run.counts, kept, seconds, json=self.json)
            return self._is_well(run)
        return self._verify(run, kept, seconds, stored, verify_rate)

    def _verify(
        self, run: ImportRun, kept: Rejects, seconds: float, stored: list[UUID], rate: float
    ) -> bool:
        if not self.json:
            import_report.summarize(self.services, run.counts, kept, seconds, json=False)
        wanted = [(run.seen.first(id_) or 0, id_) for id_ in stored]
        found = import_verify.verify(self.services, wanted, rate)
        if self.json:
            more = {"verified": found.as_json()}
            import_report.summarize(self.services, run.counts, kept, seconds, more, json=True)
        else:
            import_verify.tell(found, self.read.unit)
        return self._is_well(run) and not found.dead

    def _is_well(self, run: ImportRun) -> bool:
        return self.incoming.is_whole(run.counts) and not run.counts.rejected

    def _rejecting(self, kept: Rejects) -> Reject:
        def reject(line: ImportLine, reason: str) -> None:
            kept.add(line, reason)
            if kept.count <= MOST_SHOWN:
                note(f"{self.read.unit} {line.number}: {reason}")

        return reject

    def _taking(self, stored: list[UUID] | None) -> tuple[Taker, Ahead]:
        """Returns what stores a chunk, and puts into `stored` what of it can be verified."""
        by, incoming = session.actor(), self.incoming

        def noting(chunk: Sequence[NewConnection], take: Callable[[], Registered]) -> Registered:
            taken = take()
            if stored is None:
                return taken
            good = [new for at, new in enumerate(chunk) if at not in taken.rejected]
            with_tokens = (new for new in good if new.has_tokens or new.answer)
            stored.extend(new.id for new in with_tokens if not new.is_at_rest)
            return taken

        return (
            lambda chunk: noting(chunk, lambda: incoming.store(chunk, by)),
            lambda chunk: partial(noting, chunk, incoming.ahead(chunk, by)),
        )

    def _run(self, run: ImportRun) -> None:
        found = self.incoming.lines(self.read.lines, self.from_line)
        with progress(lambda: self.read.size) as moved, closing(run.run(found)) as told:
            for counts in told:
                moved(self.read.at(), f"{counts.read:,} read, {counts.rejected:,} rejected")

    def _tell_interrupted(self, run: ImportRun) -> None:
        run.abandon()
        if run.counts.stored_to:
            at, unit = run.counts.stored_to, self.read.unit
            many = "Entries" if unit == "entry" else f"{unit.capitalize()}s"
            note(f"{many} up to {at} are dealt with; go on with --from-line {at + 1}.")
