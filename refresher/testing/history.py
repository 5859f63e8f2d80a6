"""What happened: the events that refreshes left behind, and promises that must hold at every moment.

Needs nothing but the tables: what the provider saw is its own referee's business (`oauth_server`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.rules.history import PastEvent
from refresher.store import events, statistics
from refresher.store.session import Database
from refresher.store.statistics import Oddity


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event of one connection; `kind` is "refreshed", "transient", "parked" and so on."""

    connection_id: UUID
    event: PastEvent

    @property
    def kind(self) -> str:
        """What happened."""
        return self.event.kind

    def matches(self, **wanted: object) -> bool:
        """Whether each named field has this value; raises `AttributeError` for one that is none."""
        return all(self._field(name) == value for name, value in wanted.items())

    def _field(self, name: str) -> object:
        return getattr(self if name == "connection_id" else self.event, name)

    def __str__(self) -> str:
        why = f" ({self.event.reason})" if self.event.reason else ""
        return f"{self.kind}{why}"


class EventRecorder:
    """The events since this recorder was made, read anew from Postgres at each question.

    Fields to ask for are `connection_id` and those of `PastEvent`: `kind`, `reason`, `attempt`,
    `http_status`, `lease_token`, `credential_version` and more.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction() as db:
            self._after = events.newest_event_id(db)

    def __iter__(self) -> Iterator[RecordedEvent]:
        """Yields all of them, the oldest first."""
        with self._database.transaction() as db:
            found = events.everyones_after(db, self._after)
        return iter([RecordedEvent(event.connection_id, event) for event in found])

    def kinds(self, **wanted: object) -> list[str]:
        """Returns the kinds of the events that match, the oldest first."""
        return [event.kind for event in self.filter(**wanted)]

    def filter(self, **wanted: object) -> list[RecordedEvent]:
        """Returns the events whose named fields have these values, the oldest first."""
        return [event for event in self if event.matches(**wanted)]

    def find(self, **wanted: object) -> RecordedEvent:
        """Returns the one event that matches; fails when there is none, or more than one."""
        found = self.filter(**wanted)
        if len(found) != 1:
            raise AssertionError(f"{len(found)} events match {_told(wanted)}: {self._story()}")
        return found[0]

    def assert_order(self, *kinds: str, **wanted: object) -> None:
        """Fails unless these kinds happened in this order; others may stand between them.

        `wanted` narrows down whose events count: `connection_id=…`.
        """
        happened = self.filter(**wanted)
        rest = iter(happened)
        for n, kind in enumerate(kinds):
            if not any(event.kind == kind for event in rest):
                after = f" after {kinds[n - 1]!r}" if n else ""
                raise AssertionError(f"no {kind!r}{after}: {_chain(happened)}")

    def assert_none(self, **wanted: object) -> None:
        """Fails when an event matches."""
        if found := self.filter(**wanted):
            raise AssertionError(f"{len(found)} events match {_told(wanted)}: {_chain(found)}")

    def forget(self) -> None:
        """Begins anew: what happened until now is no longer seen."""
        with self._database.transaction() as db:
            self._after = events.newest_event_id(db)

    def _story(self) -> str:
        return _chain(list(self))


def _chain(events: Sequence[RecordedEvent]) -> str:
    return " → ".join(map(str, events)) or "nothing happened"


def _told(wanted: dict[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in wanted.items()) or "anything"


SHOWN = 5


def check_history(database: Database, *, crash_limit: int = 3) -> list[str]:
    """Returns one sentence for each promise that does not hold; an empty list is the good answer.

    No row is lost: each is idle with a due time, leased with an end, or parked with a reason. Pairs
    only go forwards, and so do leases. No row is begun `crash_limit` times without an outcome and
    not parked.
    """
    with database.transaction() as db:
        found = statistics.oddities(db, crash_limit)
    return [_sentence(what, odd) for what, odd in found.items() if odd]


def _sentence(what: str, odd: list[Oddity]) -> str:
    shown = ", ".join(f"{o.connection_id} ({o.seen})" for o in odd[:SHOWN])
    more = f" and {len(odd) - SHOWN} more" if len(odd) > SHOWN else ""
    return f"{len(odd)} {what}: {shown}{more}"
