"""`refresher doctor`: the order in which it looks at everything, and how it shows what it found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import typer

from refresher.cli import session
from refresher.cli.doctor import (
    Finding,
    connect,
    fail,
    installation,
    issuers,
    notify,
    postgres,
    proofs,
    redis,
    setup,
    work,
)
from refresher.cli.output import Json, command, emit, table
from refresher.errors import SettingsError
from refresher.settings import Settings, flows_on, load
from refresher.store.session import Database

app = typer.Typer()


@command(app, "refresher doctor", "refresher doctor --json | jq '.findings[] | .mend'")
def doctor(json: Json = False) -> None:
    """Check settings, database, Redis and the work itself, and say how to mend what is wrong.

    The exit code is 1 when something is wrong. A warning is worth reading and changes no exit code.
    """
    findings = list(findings_now())
    failed = sum(finding.level == "fail" for finding in findings)
    if json:
        emit({"ok": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        table(["level", "check", "found"], [row for finding in findings for row in _rows(finding)])
        warned = sum(finding.level == "warn" for finding in findings)
        typer.echo(f"\n{failed} wrong, {warned} worth a look, {len(findings)} checked.")
    if failed:
        raise typer.Exit(1)


def findings_now() -> Iterator[Finding]:
    """Yields everything there is to say, as far as the checks can get."""
    try:
        settings = load()
    except SettingsError as error:
        yield fail("settings", f"{error}", "set it right: `refresher settings` shows all then")
        return
    yield from setup.check(settings)
    yield from connect.check(settings)
    if flows_on("redis", settings):
        yield from redis.check(settings)
    if settings.database_url is None:
        yield from installation.check_spool(settings, None)
        yield postgres.no_url()
        return
    with session.database(settings) as opened:
        findings = list(postgres.check(settings, opened))
        yield from findings
        if any(finding.level == "fail" and finding.check == "database" for finding in findings):
            yield from installation.check_spool(settings, None)
        else:
            yield from _of_tables(settings, opened)


def _of_tables(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields what the tables of a database that is well tell about the work."""
    yield from installation.check(settings, database)
    processes = setup.running(database)
    foreign = setup.foreign_settings(settings, processes)
    yield from setup.check_agreement(settings, processes)
    yield from work.check(settings, database)
    yield from issuers.check(settings, database)
    yield from proofs.check(settings, database)
    yield from connect.check_tables(settings, database)
    yield from notify.check_mail(settings, database, foreign)
    yield from notify.check_webhooks(settings, database)


def _rows(finding: Finding) -> Iterator[tuple[str, str, str]]:
    yield finding.level, finding.check, finding.message
    if finding.mend:
        yield "", "", f"→ {finding.mend}"
