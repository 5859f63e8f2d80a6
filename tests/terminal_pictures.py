"""Takes pictures of what commands print in terminals of 80, 110 and 160 columns, as SVG.

    python -m tests.terminal_pictures            all of them, into docs/pictures/terminal/
    python -m tests.terminal_pictures top list   those whose names begin so

The deployment is that of the dashboard's pictures (`tests/browser/dashboard/demo.py`), and its clock
stands, so that a second run makes the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from textual.pilot import Pilot
from typer.testing import CliRunner

from refresher.cli import output
from refresher.cli.app import build
from refresher.cli.top import app as top
from refresher.cli.top.app import TopApp
from refresher.cli.top.source import Source
from refresher.cli.top.steering import Steering
from refresher.insight.doctor import ok, setup
from refresher.insight.doctor import work as doctor_work
from tests.browser.dashboard import demo, pictures
from tests.browser.dashboard.demo import Demo
from tests.processes import OURS

FOLDER = Path(__file__).parents[1] / "docs" / "pictures" / "terminal"
WIDTHS = (80, 110, 160)
HEIGHT = 30
COMMANDS = {
    "list": "connections list --organization org-2041",
    "events": "events 118044210377 --limit 8",
    "inspect": "inspect 44871902",
    "doctor": "doctor",
}
SCREENS = ("top-overview", "top-connections", "top-inspect")
COLOURS = TerminalTheme(
    (24, 26, 27),
    (222, 222, 218),
    [
        (24, 26, 27), (240, 98, 98), (112, 192, 112), (226, 178, 70),
        (110, 160, 240), (200, 130, 220), (86, 190, 200), (222, 222, 218),
    ],
    [
        (130, 134, 138), (255, 120, 120), (140, 214, 140), (246, 200, 100),
        (140, 182, 255), (220, 156, 238), (120, 214, 222), (255, 255, 255),
    ],
)  # fmt: skip
LIKE = {
    r"PostgreSQL&#160;\d\d\.\d+": "PostgreSQL&#160;18.4",
    r"migration&#160;\d{4}": "migration&#160;0030",
    r"\d{3}&#160;are&#160;known": "349&#160;are&#160;known",
}
"""What other versions have otherwise, and no picture is made anew for."""
NAMES = re.compile(r"terminal-\d+")
FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


@contextmanager
def standing(made: Demo) -> Iterator[pytest.MonkeyPatch]:
    """Has all clocks stand, and gives commands the deployment's settings."""
    settings = made.site.world.services.settings
    (key,) = settings.encryption_keys
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            patch.delenv(name)
        patch.setenv("DATABASE_URL", str(settings.database))
        patch.setenv("REFRESHER_ENCRYPTION_KEYS", key.get_secret_value())
        patch.setenv("REFRESHER_INTEGRATION_REFRESH__TRANSPORT", "in_process")
        patch.setattr("refresher.runtime.log.configure", lambda _: None)
        for module in (output, top):
            patch.setattr(module, "now", lambda: demo.AT)
        # Keys differ with each run, and what the script of the deployment stores is sealed by none.
        patch.setattr(setup, "_keys", lambda _: ok("keys", "key 5d3a91c0 seals"))
        patch.setattr(doctor_work, "_sealed", lambda *_: iter(()))
        made.site.world.run(
            "do $$ begin execute format('alter database %I set refresher.now = %L', "
            f"current_database(), '{demo.AT.isoformat()}'); end $$"
        )
        yield patch


def take(wanted: tuple[str, ...] = ("",)) -> Iterator[tuple[str, str]]:
    """Yields the pictures whose names begin so, each with the name of its file."""
    with pictures.shown() as made, standing(made) as patch:
        for name, line in COMMANDS.items():
            for width in WIDTHS if name.startswith(wanted) else ():
                patch.setenv("COLUMNS", str(width))
                patch.setenv("FORCE_COLOR", "1")
                yield f"{name}-{width}.svg", plain(made, printed(line, width))
        patch.delenv("FORCE_COLOR", raising=False)
        for width in WIDTHS if any(name.startswith(wanted) for name in SCREENS) else ():
            for name, svg in screens(made, width).items():
                if name.startswith(wanted):
                    yield f"{name}-{width}.svg", plain(made, svg)


def printed(line: str, width: int) -> str:
    """Runs a command; returns what it prints as a picture."""
    ran = CliRunner().invoke(build(), line.split(), prog_name="refresher", color=True)
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    console = Console(record=True, width=width, file=StringIO(), color_system="truecolor")
    console.print(Text.from_ansi(ran.stdout.rstrip()), soft_wrap=True)
    return console.export_svg(title=f"refresher {line}", theme=COLOURS)


def screens(made: Demo, width: int) -> dict[str, str]:
    """Returns pictures of `refresher top` with keys."""
    services = made.site.world.services
    source = Source(services.settings, services.database)
    app = TopApp(source, Steering(source), interval=3600, read_only=False)
    found: dict[str, str] = {}

    async def story(keys: Pilot[None]) -> None:
        for name, press in zip(SCREENS, (["1"], ["2"], ["slash", *"118044210377"]), strict=True):
            await keys.press(*press)
            if name == "top-inspect":
                await keys.press("enter")
                await _seen(keys, "1 fit")
                await keys.press("enter")
            await _seen(
                keys, {"top-overview": "queue", "top-connections": "goes on"}.get(name, "Its")
            )
            found[name] = app.export_screenshot(title="refresher top")

    asyncio.run(_run(app, width, story))
    source.close()
    return found


async def _run(app: TopApp, width: int, story: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async with app.run_test(size=(width, HEIGHT)) as keys:
        await story(keys)
    app.close()


async def _seen(keys: Pilot[None], text: str) -> None:
    for _ in range(500):
        lines = keys.app.screen._compositor.render_strips()
        if any(text in "".join(part.text for part in strip) for strip in lines):
            await keys.pause(0.5)
            return
        await keys.pause(0.02)
    raise AssertionError(text)


def plain(made: Demo, svg: str) -> str:
    """Returns a picture that fetches no font from anywhere, and in which nothing is by chance."""
    own = FONTS.sub("", svg).replace("Fira Code", "ui-monospace, Menlo, Consolas, Liberation Mono")
    own = NAMES.sub("terminal", own)
    for found, shown in LIKE.items():
        own = re.sub(found, shown, own)
    for name, id_ in made.key_ids.items():
        own = own.replace(id_, name.ljust(len(id_), "2"))
    return "\n".join(line.rstrip() for line in own.splitlines() if line.strip()) + "\n"


def main() -> None:
    """Takes the pictures that the command line names."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, svg in take(tuple(sys.argv[1:]) or ("",)):
        (FOLDER / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
