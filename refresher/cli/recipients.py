"""`refresher recipients | organizations`: who is told when a connection breaks, how, and with what.

At once, in a digest or not at all; with the organization's name, and its page to reconnect.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from refresher.cli import session
from refresher.cli.output import Json, WrongUse, command, distance, done, listing
from refresher.errors import did_you_mean
from refresher.rules.addresses import RECONNECT_WORDS, address_fault, canonical, template_fault
from refresher.rules.notices import Kind
from refresher.rules.return_urls import list_fault
from refresher.settings import load
from refresher.store import audit, recipients
from refresher.store.recipients import Recipient

Organization = Annotated[
    str | None, typer.Option("--organization", help="Whose connections: an organization's id.")
]
Operators = Annotated[
    bool, typer.Option("--operators", help="Who looks after refresher: hears of apps.")
]
Kinds = Annotated[
    list[str] | None, typer.Option(metavar="KIND", help="A kind of news, or all; may be repeated.")
]


app = typer.Typer()
recipients_group = typer.Typer(help="Say who is told by mail, and how.", no_args_is_help=True)
organizations_group = typer.Typer(
    help="Say what messages need of an organization.", no_args_is_help=True
)
app.add_typer(recipients_group, name="recipients")
app.add_typer(organizations_group, name="organizations")


@command(
    recipients_group,
    "refresher recipients add ann@acme.example --organization org-1",
    "refresher recipients add ops@us.example --operators --digest app.recovered",
    (
        "refresher recipients add bob@acme.example --organization org-1 --none all "
        "--immediate connection.reconnect_required"
    ),
)
def add(
    address: Annotated[str, typer.Argument(help="The mail address.")],
    organization: Organization = None,
    operators: Operators = False,
    immediate: Kinds = None,
    digest: Kinds = None,
    none: Kinds = None,
    json: Json = False,
) -> None:
    """Have somebody told, or change what somebody is told.

    Unless chosen otherwise, what needs a person comes at once, the rest in a digest every few minutes.
    An address that a mail server refused is tried again after this.
    """
    owner = _owner(organization, operators=operators)
    address = _address(address)
    choices = _choices({"none": none or [], "digest": digest or [], "immediate": immediate or []})
    with session.database() as database, database.transaction() as db:
        recipient, is_new = recipients.add(db, owner, address, choices)
        subject = f"recipient:{recipient.id}"
        audit.note(db, session.actor(), "recipient_stored", owner, subject)
    sentence = f"{address} is told of {_whose(owner)}" + ("" if is_new else " (changed)")
    done({**asdict(recipient), "new": is_new}, sentence, json=json)


@command(
    recipients_group,
    "refresher recipients list",
    "refresher recipients list --organization org-1 --json",
    name="list",
)
def list_(
    organization: Organization = None, operators: Operators = False, json: Json = False
) -> None:
    """List who is told, and which addresses a mail server refused."""
    if organization is not None and operators:
        raise WrongUse("give --organization or --operators, not both")
    with session.database() as database, database.transaction() as db:
        found = recipients.page(db, ["" if operators else organization])
    columns = ["address", "organization", "chosen", "refused"]
    none = "nobody is told yet: `refresher recipients add ADDRESS --organization ID`"
    listing(found, columns, _row, json=json, none=none)


@command(
    recipients_group,
    "refresher recipients remove ann@acme.example --organization org-1",
    "refresher recipients remove ops@us.example --operators --json",
)
def remove(
    address: Annotated[str, typer.Argument(help="The mail address.")],
    organization: Organization = None,
    operators: Operators = False,
    json: Json = False,
) -> None:
    """Have somebody told no more; what was still to be told is dropped."""
    owner = _owner(organization, operators=operators)
    with session.database() as database, database.transaction() as db:
        removed = recipients.drop(db, owner, address=_address(address))
        if removed:
            audit.note(db, session.actor(), "recipient_deleted", owner, f"recipient:{removed.id}")
    if not removed:
        raise WrongUse(f"{address} is not told of {_whose(owner)}; `refresher recipients list`")
    gone = {"address": address, "organization_id": owner, "removed": True}
    done(gone, f"{address} is told no more of {_whose(owner)}", json=json)


@command(
    organizations_group,
    "refresher organizations set org-1 --name Acme",
    (
        "refresher organizations set org-1 "
        "--reconnect-url 'https://app.example/connections/{external_id}/reconnect'"
    ),
    "refresher organizations set org-1 --reconnect-url ''",
    "refresher organizations set org-1 --return-url https://app.example/orgs/1/settings",
    name="set",
)
def set_organization(
    organization: Annotated[str, typer.Argument(help="The organization's id.")],
    name: Annotated[str | None, typer.Option(help="As people know it; empty forgets it.")] = None,
    reconnect_url: Annotated[
        str | None,
        typer.Option(
            help="Your page on which a person connects again, with {external_id}, {connection_id}, "
            "{provider} or {organization_id} in it; empty forgets it."
        ),
    ] = None,
    return_url: Annotated[
        list[str] | None,
        typer.Option(
            help="A page to which a connect session may send people back; repeat it for all that there "
            "are; empty forgets them."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Set an organization's name, its reconnect page, or where people return to after a consent.

    Without a page of its own an organization has that of REFRESHER_RECONNECT_URL. Return URLs are on
    the origins of REFRESHER_CONNECT_RETURN_URLS, whose own pages are for every organization.
    """
    changes, urls = _judged(organization, name, reconnect_url, return_url)
    with session.database() as database, database.transaction() as db:
        stored = recipients.set_organization(db, organization, changes, return_urls=urls)
        audit.note(db, session.actor(), "organization_stored", organization, "organization")
    name, page = stored.name or "not set", stored.reconnect_url or "not set"
    ways = f", return URLs {', '.join(stored.return_urls)}" if stored.return_urls else ""
    done(stored, f"{organization}: name {name}, reconnect page {page}{ways}", json=json)


def _judged(
    organization: str, name: str | None, page: str | None, urls: list[str] | None
) -> tuple[dict[str, str | None], list[str] | None]:
    """Returns what changes; an empty text forgets what is stored."""
    if not organization.strip():
        raise WrongUse("the organization's id is empty")
    if fault := template_fault(page, RECONNECT_WORDS) if page else None:
        raise WrongUse(f"--reconnect-url {fault}")
    if name is not None and not (name + "x").isprintable():
        raise WrongUse("--name holds a control character")
    given = {"name": name, "reconnect_url": page}
    changes = {field: value or None for field, value in given.items() if value is not None}
    if not changes and urls is None:
        raise WrongUse("nothing to set: give --name, --reconnect-url or --return-url")
    listed = None if urls is None else [url for url in urls if url]
    if why := list_fault(listed or [], load().connect_return_urls):
        raise WrongUse(f"--return-url: {why}")
    return changes, listed


@command(organizations_group, "refresher organizations list --json", name="list")
def list_organizations(json: Json = False) -> None:
    """List the organizations for which something was set."""
    with session.database() as database, database.transaction() as db:
        found = recipients.organizations(db)
    columns = ["id", "name", "reconnect page"]
    listing(found, columns, lambda one: [one.id, one.name, one.reconnect_url], json=json)


def _owner(organization: str | None, *, operators: bool) -> str | None:
    if (organization is not None) == operators:
        raise WrongUse("give either --organization ID or --operators")
    if organization is not None and not organization.strip():
        raise WrongUse("--organization is empty: give an organization's id")
    return organization


def _address(given: str) -> str:
    """Returns the address with its domain in small letters; refuses what is none."""
    fault = address_fault(given)
    if fault:
        raise WrongUse(f"{given!r} {fault}")
    return canonical(given)


def _choices(given: dict[str, list[str]]) -> dict[str, str]:
    """Returns how each kind is told; a kind that is named wins over `all`."""
    known = [kind.value for kind in Kind]
    named: dict[str, str] = {}
    everything: dict[str, str] = {}
    for how, kinds in given.items():
        for kind in kinds:
            if kind == "all":
                everything = dict.fromkeys(known, how)
            elif kind not in known:
                hint = did_you_mean(kind, known)
                raise WrongUse(f"--{how} knows no {kind!r}{hint}; kinds: {', '.join(known)}, all")
            elif named.get(kind, how) != how:
                raise WrongUse(f"{kind} is given to --{named[kind]} and to --{how}: choose one")
            else:
                named[kind] = how
    return everything | named


def _row(recipient: Recipient) -> list[object]:
    refused = (
        recipient.blocked_at and f"{distance(recipient.blocked_at)}: {recipient.blocked_reason}"
    )
    chosen = ", ".join(f"{kind}: {how}" for kind, how in sorted(recipient.choices.items()))
    return [recipient.address, recipient.organization_id or "operators", chosen, refused]


def _whose(owner: str | None) -> str:
    return "the apps" if owner is None else f"the connections of {owner}"
