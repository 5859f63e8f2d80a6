"""Webhook endpoints as people manage them: add, rotate the secret, enable, test, replay.

A secret is sealed with the endpoint's id, shown once when it is made, and never again. How messages
reach an endpoint is `webhook_channel.py`'s story.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.errors import InvalidWebhook, NoSuchWebhook
from refresher.outbound.egress import Egress
from refresher.outbound.webhooks import Message, WebhookSender
from refresher.rules import webhooks as rules
from refresher.rules.access import Actor
from refresher.rules.addresses import is_here
from refresher.rules.connection import Reply, Secret
from refresher.rules.delivery import Delivered, DeliveryOutcome, Failed, Gone, understand
from refresher.rules.notices import Kind
from refresher.runtime.cipher import Cipher
from refresher.store import audit, delivery_results, replays, webhooks
from refresher.store.quotas import Limited, Quota
from refresher.store.replays import Replay
from refresher.store.session import Database, Db
from refresher.store.webhooks import PREVIOUS_SECRET, SECRET, EndpointView

MOST_CHARACTERS = 2_048
KINDS = tuple(kind.value for kind in Kind)


@dataclass(frozen=True, slots=True)
class WantedEndpoint:
    """What an endpoint is to be. `organization_id` is None for an operator's: it hears of all."""

    url: str
    events: Sequence[str]
    organization_id: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Tested:
    """What a test came to; `sent` is the message as it left, without its signature."""

    outcome: DeliveryOutcome
    answer: Reply
    message_id: str
    sent: bytes

    @property
    def is_delivered(self) -> bool:
        """Whether the endpoint took it."""
        return isinstance(self.outcome, Delivered)

    @property
    def told(self) -> str:
        """What happened, as the end of a sentence."""
        match self.outcome:
            case Delivered(status, note):
                return f"it answered {status}" + (f"; {note}" if note else "")
            case Failed(reason):
                return reason
            case Gone():
                return "it answered 410 Gone, which ends an endpoint"

    def facts(self) -> dict[str, Any]:
        """Returns what programs are told of it, by name."""
        return {
            "delivered": self.is_delivered,
            "told": self.told,
            "http_status": self.answer.status,
            "elapsed_seconds": round(self.answer.elapsed_seconds, 3),
            "webhook_id": self.message_id,
            "body": self.sent.decode(),
        }


def add(
    database: Database,
    cipher: Cipher,
    egress: Egress,
    wanted: WantedEndpoint,
    by: Actor,
    *,
    most: int = 0,
) -> tuple[UUID, Secret]:
    """Stores an endpoint and returns its id and its signing secret, to be shown this once.

    Raises `InvalidWebhook` for what cannot be, `EgressRefused` where no request may go, `QuotaReached`
    where the organization has `most` already.
    """
    _check(egress, wanted)
    endpoint_id, made = uuid7(), rules.make_secret(os.urandom(rules.SECRET_BYTES))
    quota = Quota(Limited.WEBHOOKS, wanted.organization_id, most)
    with database.transaction() as db:
        quota.keep(quota.room(db))
        webhooks.add(
            db,
            endpoint_id,
            organization_id=wanted.organization_id,
            url=wanted.url,
            description=wanted.description,
            events=list(dict.fromkeys(wanted.events)),
            secret=cipher.seal(made, endpoint_id, SECRET),
        )
        _note(db, by, "webhook_created", endpoint_id, wanted.organization_id)
    return endpoint_id, made


def _note(
    db: Db, by: Actor, action: str, endpoint_id: UUID, organization_id: str | None = None
) -> None:
    """Writes down who did it, in the transaction that does it."""
    audit.note(db, by, action, organization_id, f"webhook:{endpoint_id}")


def _check(egress: Egress | None, wanted: WantedEndpoint) -> None:
    if len(wanted.url) > MOST_CHARACTERS:
        raise InvalidWebhook(f"url is longer than {MOST_CHARACTERS:,} characters")
    given = {"organization": wanted.organization_id, "description": wanted.description}
    for field, text in given.items():
        if text is not None and (not text.strip() or not text.isprintable() or len(text) > 200):
            raise InvalidWebhook(
                f"{field} is empty, longer than 200 characters, or has control characters"
            )
    faults = rules.filter_faults(wanted.events, KINDS)
    if faults:
        raise InvalidWebhook("; ".join(faults))
    if egress is None:
        return
    if wanted.url.startswith("http://") and not is_here(wanted.url):
        raise InvalidWebhook("url must begin with https://: ids and names of accounts travel there")
    egress.check(wanted.url)


def find(database: Database, endpoint_id: UUID, organization_id: str | None = None) -> EndpointView:
    """Returns an endpoint; raises `NoSuchWebhook`, also for another organization's."""
    with database.transaction() as db:
        view = webhooks.show(db, endpoint_id, organization_id)
    if view is None:
        raise NoSuchWebhook(endpoint_id, organization_id)
    return view


def rotate_secret(
    database: Database, cipher: Cipher, endpoint_id: UUID, by: Actor, *, overlap_seconds: float
) -> tuple[Secret, datetime]:
    """Returns the new secret, and until when the one before signs as well.

    A third secret within that time takes the place of the oldest: two are valid, never more.
    """
    made = rules.make_secret(os.urandom(rules.SECRET_BYTES))
    with database.transaction() as db:
        stored = webhooks.secret(db, endpoint_id)
        if stored is None:
            raise NoSuchWebhook(endpoint_id)
        before = cipher.open(stored, endpoint_id, SECRET)
        until = webhooks.rotate(
            db,
            endpoint_id,
            secret=cipher.seal(made, endpoint_id, SECRET),
            previous=cipher.seal(before, endpoint_id, PREVIOUS_SECRET),
            overlap_seconds=overlap_seconds,
        )
        _note_on(db, by, "webhook_secret_rotated", endpoint_id)
    return made, until


def enable(database: Database, endpoint_id: UUID, by: Actor) -> int:
    """Enables an endpoint; returns how many messages that were held for it are due now."""
    with database.transaction() as db:
        _note_on(db, by, "webhook_enabled", endpoint_id)
        return webhooks.enable(db, endpoint_id)


def change(
    database: Database,
    egress: Egress,
    endpoint_id: UUID,
    given: Mapping[str, object],
    by: Actor,
) -> EndpointView:
    """Changes url, events or description, those that are given; what waits goes to the new url.

    Raises `InvalidWebhook`, `EgressRefused` or `NoSuchWebhook`, and then changes nothing.
    """
    before = find(database, endpoint_id, by.organization_id)
    known = {name: getattr(before, name) for name in ("url", "events", "description")}
    wanted = WantedEndpoint(**{**known, **given})
    # What stays was judged when it came: a name that no longer resolves must not be in the way.
    _check(egress if "url" in given else None, wanted)
    changes = {**given, "events": list(dict.fromkeys(wanted.events))}
    with database.transaction() as db:
        if not webhooks.lock(db, endpoint_id, by.organization_id):
            raise NoSuchWebhook(endpoint_id, by.organization_id)
        webhooks.change(db, endpoint_id, changes if "events" in given else given)
        _note(db, by, "webhook_changed", endpoint_id, before.organization_id)
    return find(database, endpoint_id, by.organization_id)


def disable(database: Database, endpoint_id: UUID, by: Actor, reason: str | None = None) -> None:
    """Sends an endpoint nothing until it is enabled; what comes meanwhile is held for it.

    One that is disabled already keeps its reason.
    """
    with database.transaction() as db:
        _note_on(db, by, "webhook_disabled", endpoint_id)
        if webhooks.disable(db, endpoint_id, reason or by.told):
            delivery_results.hold(db, endpoint_id)


def remove(database: Database, endpoint_id: UUID, by: Actor) -> bool:
    """Deletes an endpoint with its messages; False when there is none."""
    with database.transaction() as db:
        _note_on(db, by, "webhook_deleted", endpoint_id)
        return webhooks.remove(db, endpoint_id)


def foreign_event(database: Database, view: EndpointView, event_id: UUID) -> bool:
    """Whether an event is unknown, or of an organization that the endpoint is not of."""
    with database.transaction() as db:
        is_known, organization = replays.event_organization(db, event_id)
    return not is_known or view.organization_id not in {None, organization}


def replay(database: Database, wanted: Replay, by: Actor) -> int:
    """Makes messages due again, delivered ones as well; returns how many, in their old order."""
    with database.transaction() as db:
        _note_on(db, by, "webhook_replayed", wanted.endpoint_id)
        return replays.replay(db, wanted)


def _note_on(db: Db, by: Actor, action: str, endpoint_id: UUID) -> None:
    """Does the same for an endpoint that is there; of one that is gone nothing is done."""
    view = webhooks.show(db, endpoint_id)
    if view is not None:
        _note(db, by, action, endpoint_id, view.organization_id)


def send_test(
    database: Database, cipher: Cipher, sender: WebhookSender, endpoint_id: UUID
) -> Tested:
    """Sends a signed `webhook.test` now, whatever the filters, and returns what came back.

    Nothing is stored or counted: a disabled endpoint may be tried before it is enabled.
    """
    view = find(database, endpoint_id)
    with database.transaction() as db:
        stored = webhooks.signing(db, endpoint_id)
    if not stored:
        raise NoSuchWebhook(endpoint_id)
    now, message_id = time.time(), str(uuid7())
    data = {"webhook_id": str(endpoint_id), "organization_id": view.organization_id}
    body = rules.body(rules.TEST_KIND, datetime.fromtimestamp(now, UTC), data)
    secrets = [cipher.open(sealed, endpoint_id, place) for place, sealed in stored.items()]
    headers = rules.headers(message_id, int(now), body, secrets)
    (group,) = sender.stream([Message(endpoint_id, view.url, headers, body)])
    answer = group[0][1]
    return Tested(understand(answer, now), answer, message_id, body)
