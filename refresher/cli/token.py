"""`refresher token`: the only command that prints a secret."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session
from refresher.cli.arguments import Id, find
from refresher.cli.output import CannotDo, Json, WrongUse, command, done, note
from refresher.errors import TokenUnavailable
from refresher.rules.connection import Secret
from refresher.rules.kept_fields import from_secret_text
from refresher.rules.serving import Stored
from refresher.rules.slots import slot_id
from refresher.rules.words import span
from refresher.runtime.cipher import Cipher, cipher_from
from refresher.settings import Settings, load
from refresher.store import audit, serving
from refresher.store.session import Database, Db

DIES = {"old_access_token_survives": False}
"""What is told of a token that the next refresh ends."""

app = typer.Typer()


@command(
    app,
    "refresher token 7b0d2a4e",
    "refresher token 7b0d2a4e --min-ttl 300",
    "refresher token 7b0d2a4e --slot user",
    'curl -H "Authorization: Bearer $(refresher token 7b0d2a4e)" https://api.example.com/me',
)
def token(
    connection: Id,
    even_expired: Annotated[
        bool, typer.Option("--even-expired", help="Print a dead one too.")
    ] = False,
    min_ttl: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Refresh it first where less life is left than that."
        ),
    ] = None,
    slot: Annotated[
        str | None, typer.Option(metavar="NAME", help="A token beside the main one.")
    ] = None,
    json: Json = False,
) -> None:
    """Print the stored access token of a connection, and nothing else, on stdout.

    Nothing is refreshed by this, unless --min-ttl is given: then a token with less life left is
    refreshed first, or whoever refreshes it is waited for, as at the HTTP API. Where that cannot be and
    the stored one is still valid, that one is printed and stderr says why. Where the token has expired,
    the exit code is 1 and stderr says so.
    """
    if min_ttl is None:
        _stored(connection, slot, even_expired=even_expired, json=json)
    elif even_expired:
        raise WrongUse(
            "--min-ttl and --even-expired exclude each other: fresh, or whatever there is"
        )
    else:
        _fresh(connection, slot, min_ttl, json=json)


def _fresh(connection: str, slot: str | None, min_ttl: float, *, json: bool) -> None:
    """Prints a token with so much life left, refreshed in this process if need be."""
    from refresher.cli import working  # noqa: PLC0415  to print what is stored needs none of it

    with working.services() as services:
        found = find(services.database, connection)
        try:
            with working.on_demand_held(services) as on_demand:
                served = on_demand.fresh_token(found, min_ttl_seconds=min_ttl, slot=slot)
        except TokenUnavailable as error:
            raise CannotDo(str(error)) from error
        _note_read(services.database, found)
    if served.stale:
        why = f"{served.reason}, {served.detail}" if served.detail else served.reason
        note(f"It has less life left than {span(min_ttl)}, and no other is to be had now: {why}.")
    facts = {} if served.old_access_token_survives else DIES
    _print(served.access_token, served.expires_at, served.kept_fields, facts, json=json)


def _stored(connection: str, slot: str | None, *, even_expired: bool, json: bool) -> None:
    """Prints what is stored."""
    settings = load()
    cipher = cipher_from(settings)
    with session.looking(settings) as database:
        found = find(database, connection)
        with database.transaction() as db:
            stored = serving.stored(db, (found, None))
            if stored and slot:
                stored = _of_slot(db, settings, cipher, stored, slot)
        if stored is None or stored.deleted:
            raise CannotDo(f"{found} is deleted: importing it again brings it back")
        if stored.access_token is None:
            raise CannotDo(
                f"{found} has no access token yet; `refresher connections show {found}` says why"
            )
        if not even_expired:
            _refuse_expired(stored)
        opened = cipher.open(stored.access_token, stored.root_id, "access_token")
        _note_read(database, found)
    fields = dict(stored.kept_fields or {})
    if json and stored.kept_secrets is not None:
        fields |= from_secret_text(cipher.open(stored.kept_secrets, stored.root_id, "kept_secrets"))
    _print(opened, stored.expires_at, fields, _facts(settings, stored) if json else {}, json=json)


def _facts(settings: Settings, stored: Stored) -> Mapping[str, object]:
    from refresher.runtime.parts import catalogue_from  # noqa: PLC0415  as above

    entry = catalogue_from(settings).get(stored.provider)
    return DIES if entry is not None and not entry.old_access_token_survives else {}


def _of_slot(db: Db, settings: Settings, cipher: Cipher, main: Stored, slot: str) -> Stored:
    """Returns the token of a slot, which is a row of its own or came with the main one."""
    from refresher.refresh.slot_flow import absent, as_slot, come_together  # noqa: PLC0415  as above
    from refresher.runtime.parts import catalogue_from  # noqa: PLC0415  as above

    own = serving.stored(db, (slot_id(main.root_id, slot), None))
    if own is not None and not own.deleted:
        return own
    together = come_together(cipher, main)
    if slot in together:
        return as_slot(cipher, slot, main)
    names = serving.slots_of(db, main.root_id)
    provider = catalogue_from(settings).get(names.provider)
    raise CannotDo(f"{main.connection_id}: {absent(slot, {*names.slots, *together}, provider)}")


def _note_read(database: Database, connection_id: UUID) -> None:
    """Writes down who is about to read the token: before it is printed, or it is not."""
    with database.transaction() as db:
        audit.about(db, session.actor(), "token_read", connection_id)


def _refuse_expired(stored: Stored) -> None:
    if stored.left_seconds is None or stored.left_seconds > 0:
        return
    mend = f"`refresher connections refresh {stored.root_id}` fetches a fresh one"
    if stored.status == "reconnect_required":
        mend = "the provider ended the grant, so the account must be connected again"
    raise CannotDo(f"the access token expired {span(-stored.left_seconds)} ago: {mend}")


def _print(
    opened: Secret,
    expires_at: datetime | None,
    fields: Mapping[str, object],
    facts: Mapping[str, object],
    *,
    json: bool,
) -> None:
    if session.is_terminal(sys.stdout):
        note("This is a secret: whoever has it can act for the account until it expires.")
    shown = {"access_token": opened.reveal(), "expires_at": expires_at}
    kept = {"kept_fields": fields} if fields else {}
    done({**shown, **kept, **facts}, opened.reveal(), json=json)
