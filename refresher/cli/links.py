"""`refresher connections resume-link`: a URL that resumes one connection, once, from outside."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from refresher.cli import opening
from refresher.cli.finding import Id, find
from refresher.cli.output import Json, emit, examples, instant, note
from refresher.cli.refusal import WrongUse

UNITS = {"s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
SPAN = re.compile(r"([0-9]{1,9})\s*(s|min|h|d)")


def register(group: typer.Typer) -> None:
    """Adds `resume-link`."""
    epilog = examples(
        "refresher connections resume-link 7b0d2a4e",
        "refresher connections resume-link 7b0d2a4e --expires-in 2h --json | jq -r .url",
        "curl -X POST $(refresher connections resume-link 7b0d2a4e)",
    )
    group.command("resume-link", epilog=epilog)(resume_link)


def resume_link(
    connection: Id,
    expires_in: Annotated[str, typer.Option(help="Such as 90s, 30min, 2h or 7d.")] = "1d",
    json: Json = False,
) -> None:
    """Print a URL that resumes a waiting connection when it is POSTed to: once, and until it expires.

    Whoever has it needs no key, so hand it on as you would a password. With REFRESHER_PUBLIC_URL it is
    a whole URL, otherwise its path on the web process.
    """
    from refresher.resuming import make_link

    seconds = read_span(expires_in)
    with opening.services() as services:
        found = find(services.database, connection)
        made = make_link(services, found, seconds=seconds, made_by="on the command line")
        base = services.settings.public_url
    url = base and f"{base}{made.path}"
    if json:
        emit(
            {
                "id": made.id,
                "connection_id": made.connection_id,
                "path": made.path,
                "url": url,
                "expires_at": made.expires_at,
            }
        )
    else:
        typer.echo(url or made.path)
    if url is None:
        note("Put the address of your web process in front, or set REFRESHER_PUBLIC_URL.")
    note(f"It works once, by POST, and ends at {instant(made.expires_at)}.")


def read_span(text: str) -> float:
    """Returns seconds of a text such as `2h`; raises `WrongUse`."""
    found = SPAN.fullmatch(text.strip())
    if found is None:
        raise WrongUse("--expires-in must be a number with its unit: 90s, 30min, 2h or 7d")
    return int(found[1]) * UNITS[found[2]]
