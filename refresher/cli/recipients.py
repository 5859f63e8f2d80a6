"""`refresher recipients`: who is told when a connection breaks, and how: at once, in a digest, not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.output import CONTEXT, Json, distance, emit, examples, note, table
from refresher.cli.refusal import WrongUse
from refresher.errors import did_you_mean
from refresher.rules.mail_addresses import address_fault, canonical
from refresher.rules.notices import Kind
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


def register(app: typer.Typer) -> None:
    """Adds `recipients` with its commands."""
    group = typer.Typer(help="Say who is told by mail, and how.", no_args_is_help=True)
    add_epilog = examples(
        "refresher recipients add ann@acme.example --organization org-1",
        "refresher recipients add ops@us.example --operators --digest app.recovered",
        "refresher recipients add bob@acme.example --organization org-1 --none all "
        "--immediate connection.reconnect_required",
    )
    group.command("add", epilog=add_epilog)(add)
    group.command("list", epilog=examples("refresher recipients list", "refresher recipients list "
                                          "--organization org-1 --json"))(list_)  # fmt: skip
    remove_epilog = examples(
        "refresher recipients remove ann@acme.example --organization org-1",
        "refresher recipients remove ops@us.example --operators --json",
    )
    group.command("remove", epilog=remove_epilog)(remove)
    app.add_typer(group, name="recipients", context_settings=CONTEXT)


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
    with opening.database() as database, database.transaction() as db:
        recipient, is_new = recipients.add(db, owner, address, choices)
        subject = f"recipient:{recipient.id}"
        audit.note(db, opening.actor(), "recipient_stored", owner, subject)
    if json:
        emit({**_shown(recipient), "new": is_new})
    else:
        note(f"{address} is told of {_whose(owner)}" + ("" if is_new else " (changed)"))


def list_(
    organization: Organization = None, operators: Operators = False, json: Json = False
) -> None:
    """List who is told, and which addresses a mail server refused."""
    if organization is not None and operators:
        raise WrongUse("give --organization or --operators, not both")
    with opening.database() as database, database.transaction() as db:
        found = recipients.every(db, organization, operators=operators)
    if json:
        for recipient in found:
            emit(_shown(recipient))
        return
    rows = [(r.address, r.organization_id or "operators", _chosen(r), _blocked(r)) for r in found]
    table(["address", "organization", "chosen", "refused"], rows)
    if not found:
        note("nobody is told yet: `refresher recipients add ADDRESS --organization ID`")


def remove(
    address: Annotated[str, typer.Argument(help="The mail address.")],
    organization: Organization = None,
    operators: Operators = False,
    json: Json = False,
) -> None:
    """Have somebody told no more; what was still to be told is dropped."""
    owner = _owner(organization, operators=operators)
    with opening.database() as database, database.transaction() as db:
        removed = recipients.remove(db, owner, _address(address))
        if removed:
            audit.note(db, opening.actor(), "recipient_deleted", owner, f"recipient:{removed}")
    if not removed:
        raise WrongUse(f"{address} is not told of {_whose(owner)}; `refresher recipients list`")
    if json:
        emit({"address": address, "organization_id": owner, "removed": True})
    else:
        note(f"{address} is told no more of {_whose(owner)}")


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


def _shown(recipient: Recipient) -> dict[str, object]:
    return asdict(recipient)


def _chosen(recipient: Recipient) -> str:
    return ", ".join(f"{kind}: {how}" for kind, how in sorted(recipient.choices.items()))


def _blocked(recipient: Recipient) -> str:
    if recipient.blocked_at is None:
        return ""
    return f"{distance(recipient.blocked_at)}: {recipient.blocked_reason}"


def _whose(owner: str | None) -> str:
    return "the apps" if owner is None else f"the connections of {owner}"
