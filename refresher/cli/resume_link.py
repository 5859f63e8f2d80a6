"""`refresher connections resume-link`: URLs that resume one connection, once each."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session, working
from refresher.cli.arguments import Id, find, read_span
from refresher.cli.output import Json, command, done, instant, listing, note
from refresher.connections import resume_links as resuming
from refresher.connections.resume_links import make_link
from refresher.store.inbound import LinkView

NO_ADDRESS = (
    "This is only its path: REFRESHER_PUBLIC_URL is not set. Put the address of your web process in "
    "front of it, or set that and make another."
)
HOW_IT_WORKS = "It works once, by POST (a browser shows a page with a button for that)"


COLUMNS = ["id", "state", "made", "by", "ends", "takes new tokens"]

app = typer.Typer()


@command(
    app,
    "refresher connections resume-link 7b0d2a4e",
    "refresher connections resume-link 7b0d2a4e --expires-in 2h --json | jq -r .url",
    "curl -X POST $(refresher connections resume-link 7b0d2a4e)",
)
def resume_link(
    connection: Id,
    expires_in: Annotated[str, typer.Option(help="Such as 90s, 30min, 2h or 7d.")] = "1d",
    replace_tokens: Annotated[
        bool,
        typer.Option(
            "--replace-tokens", help="Take tokens also while the connection works: another account."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Print a URL that resumes a waiting connection when it is POSTed to: once, and until it expires.

    Whoever has it needs no key, so hand it on as you would a password. With REFRESHER_PUBLIC_URL it is
    a whole URL, otherwise its path on the web process.
    """
    seconds = read_span("--expires-in", expires_in)
    with working.services() as services:
        found = find(services.database, connection)
        by = session.actor()
        made = make_link(services, found, seconds=seconds, by=by, replaces_tokens=replace_tokens)
    done(made, made.url or made.path, json=json)
    if made.url is None:
        note(NO_ADDRESS)
    note(f"{HOW_IT_WORKS}, and ends at {instant(made.expires_at)}.")


@command(app, "refresher connections resume-links 7b0d2a4e")
def resume_links(connection: Id, json: Json = False) -> None:
    """List a connection's links: those that may still be used, and those of the last weeks."""
    with session.database() as database:
        found = resuming.open_links(database, find(database, connection), session.actor())
    none = "It has no link: `refresher connections resume-link ID` makes one."
    listing(found, COLUMNS, _row, json=json, none=none)


@command(app, "refresher connections withdraw-link 7b0d2a4e 0197b1a4-6f1c-7d3e-9d55-0a8f6c2b7e11")
def withdraw_link(
    connection: Id,
    link: Annotated[UUID, typer.Argument(help="The link's id, as `resume-links` shows it.")],
    json: Json = False,
) -> None:
    """Withdraw a link: whoever has it can do nothing with it any more. One that was used stays used."""
    with session.database() as database:
        found = find(database, connection)
        after = resuming.withdraw_link(database, found, link, session.actor())
    done(after, f"{after.id} is {after.state}.", json=json)


def _row(link: LinkView) -> list[object]:
    takes = "always" if link.replaces_tokens else "when it waits for them"
    made_by = link.made_by.removeprefix("by ")
    return [link.id, link.state, link.made_at, made_by, link.expires_at, takes]
