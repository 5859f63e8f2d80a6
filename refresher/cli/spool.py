"""`refresher spool`: replies that Postgres does not take, until it does or they are given up."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from refresher.cli import session, working
from refresher.cli.output import CannotDo, Json, WrongUse, command, done, listing, note
from refresher.refresh import spool_entries
from refresher.refresh.recovery import give_up, store_entry
from refresher.settings import load
from refresher.store import audit
from refresher.store.spool import Spool

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Entries, as `list` names them.")
]


COLUMNS = ["entry", "what", "connection", "since", "where", "why"]

app = typer.Typer()
group = typer.Typer(
    help="Token pairs and unread answers that wait, sealed: PostgreSQL does not take them.",
    no_args_is_help=True,
)
app.add_typer(group, name="spool")


@command(group, "refresher spool list", "refresher spool list --json", name="list")
def list_(json: Json = False) -> None:
    """List what waits in Redis and in this machine's file, the oldest first, and why.

    A worker without Redis has its own file on its own machine: run this there as well. PostgreSQL need
    not answer. No token is shown: all of it is sealed.
    """
    found = _described(Spool(load()))
    none = "The spool is empty: PostgreSQL has every token pair and every answer."
    listing(found, COLUMNS, lambda entry: [entry[name] for name in COLUMNS], json=json, none=none)


@command(group, "refresher spool retry", "refresher spool retry 3f9a0c1b22de")
def retry(entries: Ids = None, json: Json = False) -> None:
    """Store entries now, all of them without an ID. A scheduler does so by itself, again and again.

    The exit code is 1 when PostgreSQL still refuses any.
    """
    refused = 0
    with working.services() as services:
        chosen = _chosen(services.spool, entries)
        for name, text in chosen.items():
            why = store_entry(services, text)
            refused += why is not None
            if why is None:
                services.spool.remove([text])
            _tell(name, "is stored" if why is None else f"is kept: {why}", why=why, json=json)
    if not chosen:
        note("The spool is empty: there is nothing to store.")
    if refused:
        raise typer.Exit(1)


@command(group, "refresher spool drop 3f9a0c1b22de", "refresher spool drop --all --yes")
def drop(
    entries: Ids = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that `list` shows.")] = False,
    yes: session.Yes = False,
    json: Json = False,
) -> None:
    """Give entries up for good. Each connection's former refresh token is presented again.

    Where the provider has rotated it, the grant is dead then, and its owner must connect again.
    """
    if bool(entries) == every:
        raise WrongUse("name the entries to drop, or give --all")
    with working.services() as services:
        chosen = _chosen(services.spool, entries)
        question = f"Give {len(chosen)} entries up for good?"
        session.confirm(question, to="drop what is spooled", yes=yes or not chosen)
        give_up(services, list(chosen.values()))
        with services.database.transaction() as db:
            for name in chosen:
                audit.note(db, session.actor(), "spool_dropped", subject=f"spool:{name}")
    for name in chosen:
        _tell(name, "is dropped", why=None, json=json)
    if not chosen:
        note("The spool is empty: there is nothing to drop.")


def _described(spool: Spool) -> list[dict[str, object]]:
    in_redis = set(spool.entries_in_redis())
    found = [_shown(text, "redis" if text in in_redis else "file") for text in spool.entries()]
    apart: list[dict[str, object]] = [
        {"entry": spool_entries.name_of(text), "what": "unknown", "connection": None, "since": None,
         "where": "file", "why": "it cannot be read: half an entry, or another version's"}
        for text in spool.aside()
    ]  # fmt: skip
    return [*found, *apart]


def _shown(text: str, where: str) -> dict[str, object]:
    entry = spool_entries.read(text)
    told_at = entry.get("told_at")
    return {
        "entry": spool_entries.name_of(text),
        "what": "unread answer" if spool_entries.is_answer(text) else "token pair",
        "connection": entry.get("connection_id"),
        "since": datetime.fromisoformat(str(told_at)) if told_at else None,
        "where": where,
        "why": entry.get("why") or "PostgreSQL was away",
    }


def _chosen(spool: Spool, wanted: list[str] | None) -> dict[str, str]:
    """Returns the entries of these names, all without one; refuses a name that is none."""
    known = {spool_entries.name_of(text): text for text in [*spool.entries(), *spool.aside()]}
    missing = [name for name in wanted or () if name not in known]
    if missing:
        raise CannotDo(f"no entry is called {missing[0]}; `refresher spool list` shows all")
    return {name: known[name] for name in wanted} if wanted else known


def _tell(name: str, what: str, *, why: str | None, json: bool) -> None:
    done({"entry": name, "done": why is None, "why": why}, f"{name} {what}.", json=json)
