"""The connection that a deed is about: who it is, how it stands, what fits. The same whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from refresher.catalogue import Catalogue
from refresher.rules.deed_words import MOST_COUNTED, Reach
from refresher.rules.deeds import Standing
from refresher.rules.providers import Provider
from refresher.rules.standing_word import Health
from refresher.store import connections, lookup
from refresher.store.connections import ConnectionView
from refresher.store.session import Db


@dataclass(frozen=True, slots=True)
class Subject:
    """One connection. `etag` is None for a deleted one, with which nothing can be done."""

    seen: ConnectionView
    etag: str | None
    siblings: int
    provider: Provider | None

    @property
    def id(self) -> UUID:
        """The connection's id."""
        return self.seen.id

    @property
    def address(self) -> str:
        """Where its page of the dashboard is."""
        return f"/ui/connections/{self.seen.id}"

    @property
    def name(self) -> str:
        """What people call it."""
        return self.seen.name or self.seen.external_id

    @property
    def at(self) -> str:
        """What people call its provider."""
        return self.provider.known_as if self.provider else self.seen.provider

    @property
    def health(self) -> Health:
        """How it stands, in one word."""
        return Health.DELETED if self.etag is None else self.seen.health

    @property
    def standing(self) -> Standing:
        """What its deeds depend on."""
        return Standing(
            self.health,
            self.seen.parked_reason,
            is_paused=self.seen.paused_at is not None,
            is_disabled=self.seen.disabled_at is not None,
            siblings=self.siblings,
        )

    @property
    def reach(self) -> Reach:
        """What a deed reaches besides it."""
        root, slot_of = self.seen.root_id, self.seen.slot_of
        return Reach(
            slots=len(self.seen.slots),
            siblings=self.siblings,
            root_id=None if root is None else str(root),
            slot_of=None if slot_of is None else str(slot_of),
            is_leased=self.seen.state == "leased",
        )


def find(db: Db, known: Catalogue, connection_id: UUID, own: str | None) -> Subject | None:
    """Returns a connection, deleted ones too, with `own` only of this organization; None for none."""
    found = connections.find(db, connection_id, own)
    seen: ConnectionView | None = found.seen if found else connections.show(db, connection_id)
    if seen is None or own not in {None, seen.organization_id}:
        return None
    siblings = lookup.siblings(db, connection_id, limit=MOST_COUNTED)
    return Subject(seen, found.etag if found else None, len(siblings), known.get(seen.provider))
