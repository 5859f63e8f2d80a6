"""`refresher organizations`: what messages know of an organization: its name, its reconnect page."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.output import CONTEXT, Json, emit, examples, note, table
from refresher.cli.refusal import WrongUse
from refresher.rules.url_template import RECONNECT_WORDS, template_fault
from refresher.store import audit, recipients


def register(app: typer.Typer) -> None:
    """Adds `organizations` with its commands."""
    group = typer.Typer(help="Say what messages need of an organization.", no_args_is_help=True)
    epilog = examples(
        "refresher organizations set org-1 --name Acme",
        "refresher organizations set org-1 "
        "--reconnect-url 'https://app.example/connections/{external_id}/reconnect'",
        "refresher organizations set org-1 --reconnect-url ''",
    )
    group.command("set", epilog=epilog)(set_)
    group.command("list", epilog=examples("refresher organizations list --json"))(list_)
    app.add_typer(group, name="organizations", context_settings=CONTEXT)


def set_(
    organization: Annotated[str, typer.Argument(help="The organization's id.")],
    name: Annotated[str | None, typer.Option(help="As people know it; empty forgets it.")] = None,
    reconnect_url: Annotated[
        str | None,
        typer.Option(
            help="Your page on which a person connects again, with {external_id}, {connection_id}, "
            "{provider} or {organization_id} in it; empty forgets it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Set an organization's name, or the page to which its reconnect links lead.

    Without a page of its own an organization has that of REFRESHER_RECONNECT_URL.
    """
    if not organization.strip():
        raise WrongUse("the organization's id is empty")
    fault = template_fault(reconnect_url, RECONNECT_WORDS) if reconnect_url else None
    if fault:
        raise WrongUse(f"--reconnect-url {fault}")
    if name is not None and not (name + "x").isprintable():
        raise WrongUse("--name holds a control character")
    given = {"name": name, "reconnect_url": reconnect_url}
    changes = {field: value or None for field, value in given.items() if value is not None}
    if not changes:
        raise WrongUse("nothing to set: give --name or --reconnect-url")
    with opening.database() as database, database.transaction() as db:
        stored = recipients.set_organization(db, organization, changes)
        audit.note(db, opening.actor(), "organization_stored", organization, "organization")
    if json:
        emit(asdict(stored))
    else:
        note(f"{organization}: name {stored.name or 'not set'}, "
             f"reconnect page {stored.reconnect_url or 'not set'}")  # fmt: skip


def list_(json: Json = False) -> None:
    """List the organizations for which something was set."""
    with opening.database() as database, database.transaction() as db:
        found = recipients.organizations(db)
    if json:
        for organization in found:
            emit(asdict(organization))
        return
    table(["id", "name", "reconnect page"], [(o.id, o.name, o.reconnect_url) for o in found])
