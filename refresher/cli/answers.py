"""`refresher answers`: what providers answered and we could not read, and reading it again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session, working
from refresher.cli.output import (
    Json,
    WrongUse,
    command,
    details,
    distance,
    done,
    emit,
    listing,
    note,
)
from refresher.refresh import rereading
from refresher.refresh.rereading import How, Reread
from refresher.store import answers
from refresher.store.answers import AnswerView

Answer = Annotated[UUID, typer.Argument(help="The answer's id, from `refresher answers list`.")]
COLUMNS = ["id", "connection", "provider", "came", "http", "bytes", "may be a grant", "why"]
SPARE = ("bytes", "http", "provider")
"""What a narrow terminal can do without, the first first."""

app = typer.Typer()
group = typer.Typer(help="Answers that we could not read.", no_args_is_help=True)
app.add_typer(group, name="answers")


@command(
    group, "refresher answers list --provider acme", "refresher answers list --json", name="list"
)
def list_(
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those too that have been read meanwhile.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """List the answers that are kept because we could not read them, the newest first.

    They are sealed; nothing of what stands in them is shown.
    """
    with session.database() as database, database.transaction() as db:
        found = answers.page(db, provider=provider, unread_only=not everything, limit=limit)
    none = "Every answer that came could be read."
    listing(found, COLUMNS, _row, json=json, spare=SPARE, none=none)


@command(group, "refresher answers show 0197b1a4-6f1c-7d3e-9d55-0a8f6c2b7e11")
def show(answer: Answer, json: Json = False) -> None:
    """Show one kept answer: whose it is, how it came, and the names of its fields; never a value."""
    with working.services() as services:
        view = rereading.find(services, answer, session.actor())
        outline = rereading.outline(services, view)
    described = {**asdict(view), "outline": outline}
    if json:
        emit(described)
        return
    details(described)
    if view.read_at is None:
        note(
            "Tell the provider's entry where its tokens stand (answer_names, response_path) in "
            f"REFRESHER_PROVIDERS_FILE, then `refresher answers reread {view.id}`."
        )


@command(
    group,
    "refresher answers reread 0197b1a4-6f1c-7d3e-9d55-0a8f6c2b7e11",
    "refresher answers reread --provider acme --json",
)
def reread(
    answer: Annotated[UUID | None, typer.Argument(help="The answer's id.")] = None,
    provider: Annotated[str | None, typer.Option(help="All of this provider's instead.")] = None,
    json: Json = False,
) -> None:
    """Read kept answers again, through today's providers file, and store the tokens in them.

    Ends with 1 when an answer still cannot be read.
    """
    if (answer is None) is (provider is None):
        raise WrongUse("give the id of one answer, or --provider NAME for all of a provider's")
    with working.services() as services:
        by = session.actor()
        if answer is not None:
            read = [rereading.reread(services, answer, by)]
        else:
            read = rereading.reread_provider(services, provider or "", by)
    for one in read:
        _tell(one, json=json)
    if not read:
        note(f"No answer of {provider} waits to be read.")
    if any(one.outcome is How.STILL_UNREAD for one in read):
        raise typer.Exit(1)


def _tell(one: Reread, *, json: bool) -> None:
    words = {
        How.STORED: f"its tokens are stored, and connection {one.connection_id} goes on",
        How.QUARANTINED: "its tokens came too late and are in quarantine: newer ones are stored",
        How.STILL_UNREAD: f"it still cannot be read ({one.reason})",
        How.READ_BEFORE: "it has been read before",
    }
    done(one, f"{one.id}: {words[one.outcome]}.", json=json)


def _row(view: AnswerView) -> list[object]:
    return [
        view.id,
        view.connection_id,
        view.provider,
        distance(view.received_at),
        view.http_status,
        view.bytes,
        "yes" if view.looks_like_grant else "no",
        "read" if view.read_at else view.reason,
    ]
