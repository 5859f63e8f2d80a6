"""`refresher webhooks deliveries | replay`: the messages of an endpoint, and sending them again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

import typer

from refresher.cli import session
from refresher.cli.arguments import SHORTEST_PREFIX, read_time
from refresher.cli.output import CannotDo, Json, WrongUse, command, distance, done, listing, note
from refresher.errors import NoSuchWebhook
from refresher.notify import endpoints
from refresher.store import replays, webhooks
from refresher.store.finding import ends
from refresher.store.replays import DeliveryView, Replay
from refresher.store.session import Database
from refresher.store.webhooks import EndpointView

COLUMNS = ["id", "event", "kind", "state", "attempts", "status", "what happened", "when"]
MessageState = Literal["waiting", "sending", "held", "delivered", "failed"]
Organization = Annotated[str | None, typer.Option(help="Only this organization's endpoints.")]
WebhookId = Annotated[
    str, typer.Argument(help="The endpoint's id, or its beginning (8 characters or more).")
]

app = typer.Typer()


@command(
    app,
    "refresher webhooks deliveries 0199a2b4",
    "refresher webhooks deliveries 0199a2b4 --state failed --json",
)
def deliveries(
    webhook: WebhookId,
    organization: Organization = None,
    state: Annotated[MessageState | None, typer.Option(help="Only messages in this state.")] = None,
    before: Annotated[int | None, typer.Option(help="Go on behind this message.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    json: Json = False,
) -> None:
    """List an endpoint's messages, the newest first, with what came of each."""
    with session.database() as database:
        view = find_endpoint(database, webhook, organization)
        with database.transaction() as db:
            found = replays.deliveries(db, view.id, state=state, before=before, limit=limit)
    listing(found, COLUMNS, _row, json=json)
    if len(found) == limit:
        note(f"There may be more: --before {found[-1].id}")


@command(
    app,
    "refresher webhooks replay 0199a2b4 --failed",
    "refresher webhooks replay 0199a2b4 --event 0199a2b4-0000-7000-8000-000000000000",
    "refresher webhooks replay 0199a2b4 --since 2026-11-24T00:00Z --until 2026-11-25T00:00Z",
)
def replay(
    webhook: WebhookId,
    organization: Organization = None,
    event: Annotated[UUID | None, typer.Option(help="This event (its webhook-id).")] = None,
    since: Annotated[str | None, typer.Option(help="Events from this instant on.")] = None,
    until: Annotated[str | None, typer.Option(help="Events before this instant.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was given up, not what arrived.")
    ] = False,
    json: Json = False,
) -> None:
    """Send messages again, with their old ids and in their old order.

    Receivers know a message that they have by its webhook-id.
    """
    if event is None and since is None and until is None and not failed:
        raise WrongUse("say what to send again: --event ID, --since INSTANT, --until or --failed")
    first, end = _instant("--since", since), _instant("--until", until)
    with session.database() as database:
        view = find_endpoint(database, webhook, organization)
        if view.disabled_at:
            raise CannotDo(
                f"{view.id} is disabled ({view.disabled_reason}): `refresher webhooks enable "
                f"{view.id}` sends what was held for it"
            )
        if event is not None:
            _refuse_foreign(database, view, event)
        wanted = Replay(view.id, event, first, end, only_failed=failed)
        sent = endpoints.replay(database, wanted, session.actor())
    done({"id": view.id, "replayed": sent}, f"messages that are due again: {sent}", json=json)


def _instant(option: str, given: str | None) -> datetime | None:
    return None if given is None else read_time(option, given, datetime.now(UTC), is_utc=True)


def _refuse_foreign(database: Database, view: EndpointView, event: UUID) -> None:
    with database.transaction() as db:
        is_known, organization = replays.event_organization(db, event)
    if not is_known:
        raise CannotDo(f"no event has the id {event}, or it is older than what is kept")
    if view.organization_id is not None and view.organization_id != organization:
        raise CannotDo(
            f"event {event} is not of organization {view.organization_id}, whose endpoint this is"
        )


def _row(d: DeliveryView) -> list[object]:
    when = d.ended_at or d.due_at
    happened = d.reason or ("" if d.attempt else "not tried yet")
    return [
        d.id,
        d.event_id,
        d.kind,
        d.state,
        d.attempt,
        d.http_status,
        happened,
        when and distance(when),
    ]


def find_endpoint(database: Database, given: str, organization: str | None) -> EndpointView:
    """Returns the endpoint that `given` means; raises `NoSuchWebhook` for another organization's."""
    shown = f'"{given[:80]}"' if given.isprintable() else "this"
    if ends(given, SHORTEST_PREFIX) is None:
        raise WrongUse(
            f"{shown} is no webhook endpoint's id, nor the beginning of one (8 characters or "
            "more); `refresher webhooks list` shows all"
        )
    with database.transaction() as db:
        ids = webhooks.beginning(db, given.strip().replace("-", "").lower())
    if len(ids) > 1:
        raise WrongUse(f"{shown} is the beginning of several ids: give a whole one")
    if not ids:
        raise NoSuchWebhook(given.strip(), organization)
    return endpoints.find(database, ids[0], organization)
