"""`refresher keys`: API keys for the HTTP API. A key is printed once, when it is made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session
from refresher.cli.output import Json, WrongUse, command, distance, done, listing, note
from refresher.connections import api_keys
from refresher.rules.access import ApiKey, Scope
from refresher.store import api_keys as stored
from refresher.store import audit as entries

MOST_CHARACTERS = 512
DAY_SECONDS = 86_400.0
COLUMNS = ["id", "name", "organization", "scopes", "made", "expires", "last used", "revoked"]
AUDIT_COLUMNS = ["when", "who", "did", "organization", "to", "times"]

app = typer.Typer()
group = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
app.add_typer(group, name="keys")


@command(
    group,
    "refresher keys create --name mailer --scope token --organization org-1",
    "refresher keys create --name backend --scope read --scope token --scope write",
    "refresher keys create --name ci --scope read --expires-in-days 30",
)
def create(
    name: Annotated[str, typer.Option(help="For people: who uses it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; give it several times.")],
    organization: Annotated[
        str | None, typer.Option(help="Only this organization's; without it, all.")
    ] = None,
    expires_in_days: Annotated[
        float | None, typer.Option(min=0.001, max=36_600, help="When it ends by itself.")
    ] = None,
    json: Json = False,
) -> None:
    """Make an API key and print it, once: only its hash is stored.

    Scopes: read (everything but tokens), token (access tokens), write (register, refresh, steer and
    delete connections), connect (make connect sessions and look at them, nothing else), admin (apps,
    for a key of all organizations). None implies another.
    """
    with session.database() as database:
        made = api_keys.create(
            database,
            name=_checked("--name", name),
            scopes=set(scope),
            organization_id=_narrowed("--organization", organization),
            expires_in_seconds=expires_in_days and expires_in_days * DAY_SECONDS,
            by=session.actor(),
        )
    key = made.text.reveal()
    done({"key": key, **_described(made.key)}, key, json=json)
    note("This is the only time that the key is shown; whoever has it can use it.")


@command(group, "refresher keys list", name="list")
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    json: Json = False,
) -> None:
    """List the keys, revoked and expired ones too; the keys themselves are stored nowhere."""
    chosen = _narrowed("--organization", organization)
    with session.database() as database, database.transaction() as db:
        found = stored.every(db, chosen)
    none = "There is no key yet: `refresher keys create --name NAME --scope read`."
    listing(found, COLUMNS, _row, json=json, none=none, described=_described)


@command(group, "refresher keys revoke abcdefghijkl")
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="The id, the part behind rfr_.")],
    json: Json = False,
) -> None:
    """Revoke a key: every process refuses it within a second or two."""
    with session.database() as database:
        revoked = api_keys.revoke(database, _checked("the id", key), by=session.actor())
    done(_described(revoked), f"{revoked.id} ({revoked.name}) is revoked.", json=json)


@command(group, "refresher keys audit --key abcdefghijkl")
def audit(
    key: Annotated[
        str | None, typer.Option(help="Only what this key did, or this person, such as cli:ann.")
    ] = None,
    connection: Annotated[UUID | None, typer.Option(help="Only about this connection.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """Show who did what, the newest last: keys by their ids, people as cli:NAME.

    Reads of a token, and what was refused, are counted together.
    """
    chosen = _narrowed("--key", key)
    with session.database() as database, database.transaction() as db:
        found = entries.recent(db, key_id=chosen, connection_id=connection, limit=limit)[::-1]
    listing(
        found,
        AUDIT_COLUMNS,
        lambda one: [
            one.occurred_at,
            one.key_id,
            one.action,
            one.organization_id,
            one.connection_id or one.subject,
            one.count,
        ],
        json=json,
    )


def _described(key: ApiKey) -> dict[str, object]:
    known = {name: value for name, value in asdict(key).items() if name != "secret_hash"}
    return {**known, "scopes": sorted(key.scopes)}


def _row(key: ApiKey) -> list[object]:
    return [
        key.id,
        key.name,
        key.organization_id or "all",
        sorted(key.scopes),
        distance(key.created_at),
        distance(key.expires_at),
        distance(key.last_used_at),
        distance(key.revoked_at),
    ]


def _narrowed(what: str, text: str | None) -> str | None:
    return None if text is None else _checked(what, text)


def _checked(what: str, text: str) -> str:
    text = text.strip()
    if not text or len(text) > MOST_CHARACTERS or not text.isprintable():
        raise WrongUse(f"{what} is empty, too long, or contains a control character")
    if text.startswith("rfr_"):
        raise WrongUse(f"{what} is a whole key: give its id only, the 12 characters behind rfr_")
    return text
