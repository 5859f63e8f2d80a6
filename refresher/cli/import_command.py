"""`refresher connections import`: from JSON Lines, or another system, to scheduled connections.

Where lines come from: `import_source.py`; what of them is stored together: `import_run.py`; the whole
of one import: `import_work.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from refresher.cli import session
from refresher.cli.import_rejects import Rejects, rejects_path
from refresher.cli.import_source import Moving, opened, path_of, reader_of
from refresher.cli.import_work import Work
from refresher.cli.output import Json, WrongUse, command
from refresher.rules.moving import System, Wishes

OF_MOVING = "Only with --from."

app = typer.Typer()


@command(
    app,
    "refresher connections import connections.jsonl",
    "psql -AtXc 'select row_to_json(c) from …' | refresher connections import - --json",
    "refresher connections import --from authjs env:THEIR_DATABASE_URL --organization acme --dry-run",
    "refresher connections import --from nango https://api.nango.dev --verify",
    (
        '{"organization_id": "org1", "provider": "google", "external_id": "1", '
        '"access_token": "…", "refresh_token": "…", "expires_in": 3599}'
    ),
    name="import",
)
def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-|URL",
            help="JSON Lines, or - for stdin. With --from also CSV, a JSON array, an API's URL, or "
            "their PostgreSQL as env:VARIABLE.",
        ),
    ],
    system: Annotated[
        System | None, typer.Option("--from", help="It is another system's: docs/moving-in.md.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help=f"The organization of all. {OF_MOVING}")
    ] = None,
    organization_from: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help=f"Their field that names it: `tags.team`. {OF_MOVING}"),
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option(metavar="THEIRS=OURS", help=f"What we call a provider. {OF_MOVING}"),
    ] = None,
    app_name: Annotated[
        list[str] | None,
        typer.Option("--app", metavar="[THEIRS=]OURS", help=f"The app that got them. {OF_MOVING}"),
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="[THEIRS=]HOST", help=f"A provider's host. {OF_MOVING}"),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help=f"The table, where it is not known. {OF_MOVING}")
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected lines go.", show_default="FILE.rejects.jsonl"),
    ] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Begin with this line.")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read all, store nothing, say what would come of it.")
    ] = False,
    verify_each: Annotated[
        bool, typer.Option("--verify", help="Refresh each once afterwards, and tell dead ones.")
    ] = False,
    verify_rate: Annotated[
        float, typer.Option(min=0.1, max=100, help="How many a second are verified.")
    ] = 5.0,
    json: Json = False,
) -> None:
    """Import connections, one JSON object a line; the exit code is 1 when a line was rejected.

    Importing a connection again with tokens is a reconnect: they replace the stored ones. So never
    import an old export over connections that refresher has kept fresh since. Without tokens it is an
    update. Bad lines are told by number and kept, with the reason, in the rejects file, which holds
    tokens and is only for its owner. A dry run keeps none: it groups them by reason.

    With --verify the exit code is 1, too, when a grant proved dead. Another system must not refresh
    meanwhile: a refresh token that is spent twice is lost with many providers.
    """
    wishes = Wishes(
        organization,
        organization_from,
        _pairs("provider", provider, bare=False),
        _pairs("app", app_name),
        _pairs("host", host),
    )
    moving = _moving(system, wishes, table)
    if dry_run and verify_each:
        raise WrongUse("a dry run stores nothing that --verify could refresh: give one of them")
    path = path_of(source)
    with ExitStack() as stack:
        kept = None if dry_run else Rejects(rejects_path(rejects, path), append=from_line > 1)
        services = stack.enter_context(session.services())
        if kept is not None:
            stack.callback(kept.close)
        read = stack.enter_context(opened(source, moving, services))
        work = Work(services, read, reader_of(moving, services), from_line, json)
        rate = verify_rate if verify_each else None
        is_well = work.rehearse() if kept is None else work.store(kept, rate)
    if not is_well:
        raise typer.Exit(1)


def _pairs(option: str, given: Sequence[str] | None, *, bare: bool = True) -> Mapping[str, str]:
    """Returns ours by theirs; what stands alone is for all the rest."""
    found: dict[str, str] = {}
    for one in given or ():
        theirs, sign, ours = one.rpartition("=")
        if not ours or not (sign or bare) or (sign and not theirs):
            raise WrongUse(f'--{option} "{one}" is not of the form THEIRS=OURS')
        found[theirs] = ours
    return found


def _moving(system: System | None, wishes: Wishes, table: str | None) -> Moving | None:
    if system is not None:
        if wishes.organization and wishes.organization_from:
            raise WrongUse("give --organization or --organization-from, not both")
        return Moving(system, wishes, table)
    if wishes != Wishes() or table is not None:
        raise WrongUse("these options are about another system's connections: say which by --from")
    return None
