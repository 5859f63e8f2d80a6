"""`refresher connections resume-link`: URLs that resume one connection, once each."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import opening
from refresher.cli.finding import Id, find
from refresher.cli.output import Json, emit, examples, instant, note, table
from refresher.cli.refusal import WrongUse
from refresher.connections import resume_links as resuming
from refresher.connections.resume_links import make_link

UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
SPAN = re.compile(r"([0-9]{1,9})\s*(s|min|h|d)")

NO_ADDRESS = (
    "This is only its path: REFRESHER_PUBLIC_URL is not set. Put the address of your web process in "
    "front of it, or set that and make another."
)
HOW_IT_WORKS = "It works once, by POST (a browser shows a page with a button for that)"


def register(group: typer.Typer) -> None:
    """Adds `resume-link`, `resume-links` and `withdraw-link`."""
    epilog = examples(
        "refresher connections resume-link 7b0d2a4e",
        "refresher connections resume-link 7b0d2a4e --expires-in 2h --json | jq -r .url",
        "curl -X POST $(refresher connections resume-link 7b0d2a4e)",
    )
    group.command("resume-link", epilog=epilog)(resume_link)
    group.command("resume-links", epilog=examples("refresher connections resume-links 7b0d2a4e"))(
        resume_links
    )
    group.command(
        "withdraw-link",
        epilog=examples(
            "refresher connections withdraw-link 7b0d2a4e 0197b1a4-6f1c-7d3e-9d55-0a8f6c2b7e11"
        ),
    )(withdraw_link)


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
    seconds = read_span(expires_in)
    with opening.services() as services:
        found = find(services.database, connection)
        by = opening.actor()
        made = make_link(services, found, seconds=seconds, by=by, replaces_tokens=replace_tokens)
        base = services.settings.public_url
    url = base and f"{base}{made.path}"
    if json:
        emit({**asdict(made), "url": url})
    else:
        typer.echo(url or made.path)
    if url is None:
        note(NO_ADDRESS)
    note(f"{HOW_IT_WORKS}, and ends at {instant(made.expires_at)}.")


def resume_links(connection: Id, json: Json = False) -> None:
    """List a connection's links: those that may still be used, and those of the last weeks."""
    with opening.database() as database:
        found = resuming.open_links(database, find(database, connection), opening.actor())
    if json:
        for link in found:
            emit(asdict(link))
        return
    columns = ["id", "state", "made", "by", "ends", "takes new tokens"]
    table(
        columns,
        [
            (link.id, link.state, link.made_at, link.made_by.removeprefix("by "), link.expires_at,
             "always" if link.replaces_tokens else "when it waits for them")
            for link in found
        ],
    )  # fmt: skip
    if not found:
        note("It has no link: `refresher connections resume-link ID` makes one.")


def withdraw_link(
    connection: Id,
    link: Annotated[UUID, typer.Argument(help="The link's id, as `resume-links` shows it.")],
    json: Json = False,
) -> None:
    """Withdraw a link: whoever has it can do nothing with it any more. One that was used stays used."""
    with opening.database() as database:
        found = find(database, connection)
        after = resuming.withdraw_link(database, found, link, opening.actor())
    if json:
        emit(asdict(after))
    else:
        typer.echo(f"{after.id} is {after.state}.")


def read_span(text: str) -> float:
    """Returns seconds of a text such as `2h`; raises `WrongUse`."""
    found = SPAN.fullmatch(text.strip())
    if found is None:
        raise WrongUse("--expires-in must be a number with its unit: 90s, 30min, 2h or 7d")
    return int(found[1]) * UNITS[found[2]]
