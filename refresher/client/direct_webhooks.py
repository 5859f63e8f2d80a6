"""Webhook endpoints, straight on the database: as the API's routes do it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from typing import Any
from uuid import UUID

from refresher.client import calls
from refresher.errors import Conflict, EgressRefused, InvalidWebhook
from refresher.notify import endpoints
from refresher.outbound.egress import Egress
from refresher.rules.access import Actor
from refresher.runtime.services import Services, egress_from
from refresher.store import replays, webhooks
from refresher.store.replays import Replay

Document = dict[str, Any]


class DirectWebhooks:
    """What an application does to endpoints; each answers with the API's document."""

    def __init__(self, services: Services, by: Actor) -> None:
        self._services, self._by = services, by
        self._database = services.database

    @cached_property
    def _egress(self) -> Egress:
        return egress_from(self._services.settings)

    def close(self) -> None:
        """Gives back what judges addresses, if anybody needed it."""
        if "_egress" in vars(self):
            self._egress.close()

    def create(self, given: Mapping[str, Any]) -> Document:
        """Stores an endpoint, and returns it with its secret."""
        if "organization_id" not in given:
            raise InvalidWebhook(
                "organization_id must be given: None makes an operator's endpoint, which hears of all"
            )
        wanted = endpoints.WantedEndpoint(**given)
        with _refused():
            made, secret = endpoints.add(
                self._database, self._services.cipher, self._egress, wanted, self._by
            )
        return {**self.get(made), "secret": secret.reveal()}

    def listed(self, organization_id: str | None, cursor: str | None) -> Document:
        """Returns a page of endpoints."""
        after = None if cursor is None else UUID(cursor)
        with self._database.transaction() as db:
            found = webhooks.every(
                db, organization_id=organization_id, after=after, limit=calls.PAGE + 1
            )
        return _page(found)

    def get(self, id_: UUID) -> Document:
        """Returns an endpoint."""
        return asdict(endpoints.find(self._database, id_))

    def change(self, id_: UUID, given: Mapping[str, object]) -> Document:
        """Changes url, events or description."""
        with _refused():
            return asdict(endpoints.change(self._database, self._egress, id_, given, self._by))

    def delete(self, id_: UUID) -> None:
        """Deletes an endpoint."""
        self.get(id_)
        endpoints.remove(self._database, id_, self._by)

    def switch(self, id_: UUID, *, on: bool) -> Document:
        """Enables or disables an endpoint."""
        self.get(id_)
        if on:
            endpoints.enable(self._database, id_, self._by)
        else:
            endpoints.disable(self._database, id_, self._by)
        return self.get(id_)

    def rotate_secret(self, id_: UUID, overlap_seconds: float | None) -> Document:
        """Makes a new secret."""
        usual = self._services.settings.webhook_secret_overlap_seconds
        seconds = usual if overlap_seconds is None else overlap_seconds
        secret, until = endpoints.rotate_secret(
            self._database, self._services.cipher, id_, self._by, overlap_seconds=seconds
        )
        return {"id": id_, "secret": secret.reveal(), "previous_secret_until": until}

    def test(self, id_: UUID) -> Document:
        """Sends a test message."""
        services = self._services
        tested = endpoints.send_test(self._database, services.cipher, services.webhook_sender, id_)
        return {"id": id_, **tested.facts()}

    def deliveries(self, id_: UUID, state: str | None, cursor: str | None) -> Document:
        """Returns a page of messages, the newest first."""
        before = None if cursor is None else int(cursor)
        self.get(id_)
        with self._database.transaction() as db:
            found = replays.deliveries(db, id_, state=state, before=before, limit=calls.PAGE + 1)
        return _page(found)

    def replay(self, id_: UUID, which: Mapping[str, Any]) -> int:
        """Sends messages again."""
        if not any(which.values()):
            raise InvalidWebhook("name one of event_id, since, until and only_failed")
        view = endpoints.find(self._database, id_)
        if view.disabled_at:
            raise Conflict("enable it first, which sends what was held for it")
        event_id = which.get("event_id")
        given = {**which, "event_id": UUID(str(event_id)) if event_id is not None else None}
        return endpoints.replay(self._database, Replay(id_, **given), self._by)


def _page(found: Sequence[Any]) -> Document:
    """Returns a page of one fewer than were looked for, if there are so many."""
    shown = found[: calls.PAGE]
    more = str(shown[-1].id) if len(found) > calls.PAGE else None
    return {"items": [asdict(one) for one in shown], "next_cursor": more}


@contextmanager
def _refused() -> Iterator[None]:
    """A URL that leads where no request may go is a wrong endpoint, as with the API."""
    try:
        yield
    except EgressRefused as error:
        raise InvalidWebhook(str(error)) from None
