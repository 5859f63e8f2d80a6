"""`refresher webhooks`: endpoints that are told of events. Their messages: `webhook_messages.py`.

A signing secret is printed when it is made, once; nothing shows it again.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from refresher.cli import session, webhook_messages, working
from refresher.cli.output import (
    Json,
    WrongUse,
    command,
    details,
    distance,
    done,
    emit,
    facts,
    listing,
    note,
)
from refresher.cli.webhook_messages import Organization, WebhookId, find_endpoint
from refresher.notify import endpoints
from refresher.rules.words import counted, span
from refresher.runtime.cipher import cipher_from
from refresher.runtime.services import egress_from
from refresher.settings import load
from refresher.store import webhooks
from refresher.store.webhooks import EndpointView

COLUMNS = ["id", "organization", "url", "events", "state", "waiting", "held", "failed"]
KEEP_IT = "This secret verifies what we send. It is not shown again: give it to the receiver now."


app = typer.Typer()
group = typer.Typer(help="Tell other systems of events by webhook.", no_args_is_help=True)
app.add_typer(group, name="webhooks")
group.add_typer(webhook_messages.app)


@command(
    group,
    (
        "refresher webhooks add https://app.example/hooks --organization org-1 "
        "--event 'connection.*'"
    ),
    "refresher webhooks add https://ops.example/hooks --operator --event '*'",
)
def add(
    url: Annotated[str, typer.Argument(help="Where to POST: https, and no private address.")],
    event: Annotated[
        list[str], typer.Option(help="What to tell: a kind, connection.* or *. May be repeated.")
    ],
    organization: Annotated[
        str | None, typer.Option(help="Whose endpoint this is: it hears of its connections.")
    ] = None,
    operator: Annotated[
        bool, typer.Option("--operator", help="Ours: it hears of every organization, and of apps.")
    ] = False,
    description: Annotated[str | None, typer.Option(help="For people.")] = None,
    json: Json = False,
) -> None:
    """Add an endpoint, and print the secret that its messages are signed with.

    It is sent what happens from now on, in the form of Standard Webhooks.
    """
    if operator == (organization is not None):
        raise WrongUse("say whose endpoint this is: give --organization ID, or --operator for ours")
    settings = load()
    cipher, egress = cipher_from(settings), egress_from(settings)
    wanted = endpoints.WantedEndpoint(url, event, organization, description)
    try:
        with session.database(settings) as database:
            made, secret = endpoints.add(database, cipher, egress, wanted, session.actor())
    finally:
        egress.close()
    if json:
        emit({"id": made, "url": url, "events": event, "secret": secret.reveal()})
        return
    facts({"id": made, "secret": secret.reveal()})
    note(KEEP_IT)
    note(f"`refresher webhooks test {made}` tries it.")


@command(group, "refresher webhooks list --organization org-1", name="list")
def list_(organization: Organization = None, json: Json = False) -> None:
    """List endpoints, how they do, and what waits for them; never their secrets."""
    with session.database() as database, database.transaction() as db:
        found = webhooks.every(db, organization_id=organization)
    none = "There is none: `refresher webhooks add URL --event 'connection.*'` adds one."
    listing(found, COLUMNS, _row, json=json, none=none)


@command(group, "refresher webhooks show 0199a2b4")
def show(webhook: WebhookId, organization: Organization = None, json: Json = False) -> None:
    """Show one endpoint: what it is told, how it does, and why not if it does not."""
    with session.database() as database:
        view = find_endpoint(database, webhook, organization)
    if json:
        emit(view)
        return
    told = {name: counted(getattr(view, name)) for name in ("waiting", "held", "failed")}
    details(asdict(view) | told)
    if view.disabled_at:
        note(f"It is sent nothing: mend it, then `refresher webhooks enable {view.id}`.")
    if view.failed:
        note(f"`refresher webhooks replay {view.id} --failed` sends again what was given up.")


@command(group, "refresher webhooks remove 0199a2b4")
def remove(
    webhook: WebhookId,
    organization: Organization = None,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Remove an endpoint, with its messages: those that wait for it are never sent."""
    with session.database() as database:
        view = find_endpoint(database, webhook, organization)
        waiting = counted(view.waiting + view.held, "message")
        session.confirm(f"Remove {view.url}, and {waiting} for it?", to="remove it", yes=yes)
        removed = endpoints.remove(database, view.id, session.actor())
    done({"id": view.id, "removed": removed}, f"{view.id} ({view.url}) is removed.", json=json)


@command(group, "refresher webhooks enable 0199a2b4")
def enable(webhook: WebhookId, organization: Organization = None, json: Json = False) -> None:
    """Enable an endpoint again; what was held for it meanwhile goes out, in its order."""
    with session.database() as database:
        view = find_endpoint(database, webhook, organization)
        released = endpoints.enable(database, view.id, session.actor())
    done(
        {"id": view.id, "enabled": True, "released": released},
        f"{view.id} is enabled; messages that were held and are due now: {released}.",
        json=json,
    )


@command(
    group,
    "refresher webhooks rotate-secret 0199a2b4",
    "refresher webhooks rotate-secret 0199a2b4 --overlap-seconds 3600",
)
def rotate_secret(
    webhook: WebhookId,
    organization: Organization = None,
    overlap_seconds: Annotated[
        float | None,
        typer.Option(min=0, max=366 * 86_400, help="How long the old one signs as well."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a new signing secret and print it; for a while messages carry both signatures.

    Give the new one to the receiver within that time: by default a day
    (REFRESHER_WEBHOOK_SECRET_OVERLAP_SECONDS). With 0 the old one ends now.
    """
    settings = load()
    cipher = cipher_from(settings)
    given = overlap_seconds is not None
    seconds = overlap_seconds if given else settings.webhook_secret_overlap_seconds
    assert seconds is not None
    with session.database(settings) as database:
        view = find_endpoint(database, webhook, organization)
        secret, until = endpoints.rotate_secret(
            database, cipher, view.id, session.actor(), overlap_seconds=seconds
        )
    if json:
        emit({"id": view.id, "secret": secret.reveal(), "previous_secret_until": until})
        return
    facts({"id": view.id, "secret": secret.reveal(), "the old one ends": until})
    note(KEEP_IT)


@command(group, "refresher webhooks test 0199a2b4", name="test")
def send_test(webhook: WebhookId, organization: Organization = None, json: Json = False) -> None:
    """Send a signed `webhook.test` now and show the answer; nothing is stored or counted."""
    with working.services() as services:
        view = find_endpoint(services.database, webhook, organization)
        tested = endpoints.send_test(
            services.database, services.cipher, services.webhook_sender, view.id
        )
    if json:
        emit({"id": view.id, **tested.facts()})
    else:
        word = "delivered" if tested.is_delivered else "not delivered"
        typer.echo(f"{word}: {tested.told} ({span(tested.answer.elapsed_seconds)})")
        note(f"webhook-id {tested.message_id}, body {tested.sent.decode()}")
    if not tested.is_delivered:
        raise typer.Exit(1)


def _row(view: EndpointView) -> list[object]:
    return [
        view.id,
        view.organization_id or "(operator)",
        view.url,
        view.events,
        _state(view),
        counted(view.waiting),
        counted(view.held),
        counted(view.failed),
    ]


def _state(view: EndpointView) -> str:
    if view.disabled_at:
        return f"disabled: {view.disabled_reason}"
    if view.failing_since:
        return f"failing since {distance(view.failing_since)}"
    return "ok" if view.delivered_at else "new"
