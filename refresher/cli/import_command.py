"""`refresher connections import`: from JSON Lines, or another system, to scheduled connections.

Where lines come from: `import_source.py`; what of them is stored together: `import_run.py`; the whole
of one import: `import_work.py`.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from refresher.cli import receiving, working
from refresher.cli.import_export import Incoming
from refresher.cli.import_options import (
    Apps,
    FromSystem,
    Hosts,
    Organization,
    OrganizationFrom,
    Providers,
    Table,
    moving_of,
    pairs,
)
from refresher.cli.import_rejects import SUFFIX, Rejects, rejects_path
from refresher.cli.import_source import Moving, opened, path_of, reader_of
from refresher.cli.import_work import Work
from refresher.cli.output import Json, WrongUse, command
from refresher.rules.moving import System, Wishes
from refresher.runtime.receiving_key import ReceivingKey

app = typer.Typer()


Input = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-|URL",
        help="JSON Lines, or - for stdin. With --from also CSV, a JSON array, an API's URL, or their "
        "PostgreSQL as env:VARIABLE.",
    ),
]
RejectsFile = Annotated[
    Path | None,
    typer.Option(help="Where rejected lines go.", show_default="FILE.rejects.jsonl"),
]
FromLine = Annotated[int, typer.Option(min=1, help="Begin with this line.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Read all, store nothing, say what would come of it.")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Refresh each once afterwards, and tell dead ones.")
]
VerifyRate = Annotated[
    float, typer.Option(min=0.1, max=100, help="How many a second are verified.")
]


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
    source: Input,
    system: FromSystem = None,
    organization: Organization = None,
    organization_from: OrganizationFrom = None,
    provider: Providers = None,
    app_name: Apps = None,
    host: Hosts = None,
    table: Table = None,
    rejects: RejectsFile = None,
    from_line: FromLine = 1,
    dry_run: DryRun = False,
    verify: Verify = False,
    verify_rate: VerifyRate = 5.0,
    key_file: receiving.KeyFile = None,
    force: receiving.Force = False,
    json: Json = False,
) -> None:
    """Import connections, one JSON object a line; the exit code is 1 when a line was rejected.

    Importing a connection again with tokens is a reconnect: they replace the stored ones. So never
    import an old export over connections that refresher has kept fresh since. Without tokens it is an
    update. Bad lines are told by number and kept, with the reason, in the rejects file, which holds
    tokens and is only for its owner. A dry run keeps none: it groups them by reason.

    With --verify the exit code is 1, too, when a grant proved dead. Another system must not refresh
    meanwhile: a refresh token that is spent twice is lost with many providers.

    An export of refresher is known by its first line, and stands here as it stood there.
    """
    for_export = (receiving.read(key_file), force)
    named = (pairs("provider", provider, bare=False), pairs("app", app_name), pairs("host", host))
    moving = moving_of(system, Wishes(organization, organization_from, *named), table)
    if dry_run and verify:
        raise WrongUse("a dry run stores nothing that --verify could refresh: give one of them")
    kept = None if dry_run else (_rejects(rejects, system, path_of(source)), from_line > 1)
    rate = verify_rate if verify else None
    if not _done(source, moving, for_export, kept, from_line, rate, json=json):
        raise typer.Exit(1)


def _rejects(given: Path | None, system: System | None, path: Path | None) -> Path:
    """Returns where rejected lines go: an API's and a database's into a file named by the system."""
    named = Path(f"{system}{SUFFIX}") if system is not None and path is None else None
    return rejects_path(given or named, path)


def _done(
    source: str,
    moving: Moving | None,
    for_export: tuple[ReceivingKey | None, bool],
    rejects: tuple[Path, bool] | None,
    from_line: int,
    rate: float | None,
    *,
    json: bool,
) -> bool:
    """Imports, or without a rejects file only says what would come of it."""
    with ExitStack() as stack:
        kept = Rejects(rejects[0], append=rejects[1]) if rejects else None
        services = stack.enter_context(working.services())
        if kept is not None:
            stack.callback(kept.close)
        read = stack.enter_context(opened(source, moving, services))
        key, force = for_export
        incoming = Incoming(services, reader_of(moving, services), key, force=force)
        work = Work(services, read, incoming, from_line, json)
        return work.rehearse() if kept is None else work.store(kept, rate)
