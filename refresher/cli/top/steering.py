"""Every deed that `refresher top` does: what it asks first, and what is said afterwards.

The words, the checks and the door are those of the dashboard and of the other commands. A deed is done
to the row that was asked about: where it has changed meanwhile, nothing is done.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from refresher.cli import session, working
from refresher.cli.output import CannotDo, instant
from refresher.cli.top.source import Source
from refresher.connections import lifecycle
from refresher.connections.lifecycle import Changed
from refresher.errors import TokenUnavailable
from refresher.insight import subject
from refresher.insight.subject import Subject
from refresher.refresh.on_demand import OnDemand
from refresher.rules import refresh_words
from refresher.rules.access import Actor
from refresher.rules.deed_words import (
    CHANGED,
    CONSEQUENCES,
    DONE,
    QUESTIONS,
    TRIED,
    besides,
    button,
)
from refresher.rules.deeds import TRY_ONCE, Deed, why_not
from refresher.rules.refresh_words import Told
from refresher.store import connections
from refresher.store.connections import Versioned
from refresher.store.session import Database

WAIT_SECONDS = 30.0


class _Steers(Protocol):
    def __call__(
        self,
        database: Database,
        by: Actor,
        connection_id: UUID,
        if_match: frozenset[str] | None = None,
    ) -> Versioned: ...


_STEERS: Mapping[Deed, _Steers] = {Deed.PAUSE: lifecycle.pause, Deed.RESUME: lifecycle.resume}


@dataclass(frozen=True, slots=True)
class Asked:
    """A deed that fits: the question, what follows, and what the button says."""

    of: Subject
    deed: Deed

    @property
    def title(self) -> str:
        """The question."""
        return QUESTIONS[self.deed].format(name=f"{self.of.name} ({self.of.at})")

    @property
    def consequences(self) -> str:
        """What follows."""
        return " ".join([*CONSEQUENCES[self.deed], *besides(self.deed, self.of.reach)])

    @property
    def button(self) -> str:
        """What the button says."""
        return button(self.deed, self.of.standing)


class Steering:
    """The deeds of one terminal; each may run in a thread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._open = ExitStack()
        self._on_demand: OnDemand | None = None
        self._lock = threading.Lock()

    def ask(self, connection_id: UUID, deed: Deed) -> Asked:
        """Returns what is asked first; raises `CannotDo` where the deed does not fit."""
        with self._source.reading() as db:
            of = subject.find(db, self._source.catalogue, connection_id, None)
        if of is None:
            raise CannotDo(f"{connection_id} is gone")
        if (why := why_not(deed, of.standing)) is not None:
            raise CannotDo(f"{of.name}: {why}")
        return Asked(of, deed)

    def do(self, asked: Asked) -> Told:
        """Does it; returns what came of it."""
        if asked.deed is Deed.REFRESH:
            return self._refresh(asked.of)
        of, tags = asked.of, frozenset({asked.of.etag or ""})
        try:
            after = _STEERS[asked.deed](self._source.database, session.actor(), of.id, tags)
        except Changed:
            raise CannotDo(CHANGED) from None
        if after.seen.note:
            return Told(f"{of.name} has {after.seen.note}.", "still")
        how = TRIED if asked.button == TRY_ONCE else DONE[asked.deed]
        return Told(" ".join([f"{of.name} {how}.", *besides(asked.deed, of.reach)]), "good")

    def close(self) -> None:
        """Waits for a refresh of ours, which nothing may cut off, and closes what was opened."""
        with self._lock:
            self._open.close()

    @property
    def is_busy(self) -> bool:
        """Whether a refresh of this process is under way."""
        return self._on_demand is not None and self._on_demand.busy

    def _refresh(self, of: Subject) -> Told:
        on_demand = self._ready()
        lifecycle.note(self._source.database, session.actor(), "refresh_asked", of.seen)
        try:
            ending = on_demand.refresh_now(of.id, wait_seconds=WAIT_SECONDS)
        except TokenUnavailable as error:
            _, at = self._next(of)
            return refresh_words.refused(error.code, next_at=at, waited_seconds=WAIT_SECONDS)
        held, at = self._next(of)
        return refresh_words.ended(ending, of.at, held=held, next_at=at)

    def _ready(self) -> OnDemand:
        """Opens all services at the first refresh: who only looks or pauses needs no key."""
        with self._lock:
            if self._on_demand is None:
                services = self._open.enter_context(working.services(self._source.settings))
                self._on_demand = self._open.enter_context(
                    closing(OnDemand(services, role="command"))
                )
            return self._on_demand

    def _next(self, of: Subject) -> tuple[str | None, str | None]:
        """Returns what its row waits for now, and when it is due, in words."""
        with self._source.reading() as db:
            view = connections.show(db, of.id)
        if view is None:
            return None, None
        return view.postponed_by, instant(view.due_at) if view.due_at else None
