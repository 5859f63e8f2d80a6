"""`refresher doctor`: how the command line shows what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import typer
from rich.console import RenderableType
from rich.text import Text

from refresher.cli import output
from refresher.cli.output import Json, command, emit, plain, show, width
from refresher.cli.tables import layout
from refresher.errors import SettingsError
from refresher.insight.doctor import Finding, fail
from refresher.insight.doctor.order import findings
from refresher.outbound.rendering import TemplateFault
from refresher.settings import Settings, load

COLUMNS = ["level", "check", "found"]

app = typer.Typer()


@command(app, "refresher doctor", "refresher doctor --json | jq '.findings[] | .mend'")
def doctor(json: Json = False) -> None:
    """Check settings, servers and the work itself, and say how to mend what is wrong.

    The exit code is 1 when something is wrong. A warning is worth reading and changes no exit code.
    """
    found = list(_found())
    failed = sum(finding.level == "fail" for finding in found)
    if json:
        emit({"ok": not failed, "findings": [_described(finding) for finding in found]})
    else:
        for one in laid_out(found, width()):
            show(one)
        typer.echo(f"\n{summary(found)}")
    if failed:
        raise typer.Exit(1)


def summary(found: Sequence[Finding]) -> str:
    """Returns how much is wrong, and how much is worth a look."""
    levels = Counter(one.level for one in found)
    return f"{levels['fail']} wrong, {levels['warn']} worth a look, {len(found)} checked."


def _found() -> Iterator[Finding]:
    try:
        settings = load()
    except SettingsError as error:
        yield fail("settings", f"{error}", "set it right: `refresher settings` shows all then")
        return
    yield from findings(settings, page_faults)


def page_faults(settings: Settings) -> list[TemplateFault]:
    """Returns what is wrong with own pages."""
    from refresher.web.connect.pages import faults  # noqa: PLC0415  only for who has own pages

    return faults(settings)


def _described(finding: Finding) -> dict[str, object]:
    names = ("check", "level", "message", "mend")
    return {name: getattr(finding, name) for name in names}


def laid_out(found: Iterable[Finding], width: int) -> Iterator[RenderableType]:
    """Yields what was found as a table, whose check and message are one where there is no room."""
    rows = [row for finding in found for row in rows_of(finding)]
    texts = [[plain(value) for value in row] for row in rows]
    if layout(COLUMNS, texts, width).as_records:
        short = [(level, _together(check, told)) for level, check, told in rows]
        return output.laid_out(["level", "found"], short, width)
    return output.laid_out(COLUMNS, rows, width)


def _together(check: Text, told: Text) -> Text:
    return Text(f"{check}: {told}") if check.plain else told


def rows_of(finding: Finding) -> Iterator[tuple[str, Text, Text]]:
    """Yields what was found, and below it how to mend it; only the level has a colour."""
    yield finding.level, Text(plain(finding.check)), Text(plain(finding.message))
    if finding.mend:
        yield "", Text(), Text(f"→ {plain(finding.mend)}")
