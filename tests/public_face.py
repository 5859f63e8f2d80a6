"""What users see of refresher, collected as plain values; `python -m tests.public_face` freezes it.

The golden copies are `tests/golden/*.json`. A change there is a change for users, and belongs into the
changelog; a move inside the house changes nothing there.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from refresher import errors
from refresher.cli.app import COMMANDS, build, load
from refresher.settings import Flow, Settings, variable
from refresher.settings.names import flows
from refresher.web.app import OPERATIONS
from refresher.web.docs import document
from refresher.web.problems import CODES

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
ACTORS = ("refresh_connections", "send_notification", "flush_digest", "deliver_webhooks")
PARTS = ("commands", "settings", "imports", "metrics", "problems", "actors", "openapi")


def collect(part: str) -> Any:
    """Returns one part as it is now, in the form in which JSON gives it back."""
    return json.loads(json.dumps(globals()[part](), sort_keys=True, default=str))


def frozen(part: str) -> Any:
    """Returns one part as it was frozen."""
    return json.loads((GOLDEN / f"{part}.json").read_text(encoding="utf-8"))


def commands() -> dict[str, Any]:
    """Every command with its help and its parameters."""
    outermost = typer.main.get_command(build())
    outermost.commands = {name: load(name) for name in COMMANDS}  # type: ignore[attr-defined]
    return dict(_commands(outermost, "refresher"))


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    parameters = {
        " ".join([*p.opts, *p.secondary_opts]): getattr(p, "help", None) for p in command.params
    }
    yield name, {"help": command.help, "examples": command.epilog, "parameters": parameters}
    for child in getattr(command, "commands", {}).values():
        yield from _commands(child, f"{name} {child.name}")


def settings() -> list[str]:
    """The variables that are settings."""
    fields = Settings.model_fields
    switches = [f"{flow}.{part}" for flow in flows(fields) for part in Flow.model_fields]
    return sorted(variable(name) for name in [*fields, *switches])


FRAMEWORKS = [f"refresher.contrib.{name}" for name in ("django", "fastapi", "flask")]


def imports() -> dict[str, list[str]]:
    """What applications and their tests import, and the names of the errors."""
    kinds = [n for n, kind in vars(errors).items() if isinstance(kind, type)]
    return {
        "refresher.client": sorted(import_module("refresher.client").__all__),
        **{name: sorted(import_module(name).__all__) for name in FRAMEWORKS},
        "refresher.testing": sorted(import_module("refresher.testing").__all__),
        "refresher.errors": sorted(n for n in kinds if issubclass(vars(errors)[n], Exception)),
    }


def metrics() -> list[str]:
    """The metrics, as the table of docs/monitoring.md has them (which is held against a scrape)."""
    text = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^\| `(refresher_\w+)` \|", text, re.MULTILINE)))


def problems() -> dict[str, int]:
    """The problem codes of the API, and their statuses."""
    return {code: status for code, (status, _title) in CODES.items()}


def actors() -> dict[str, str]:
    """The actors and their queues: messages that are under way during a deploy carry them."""
    module = import_module("refresher.actors")
    found = [getattr(module, name) for name in ACTORS]
    return {actor.actor_name: actor.queue_name for actor in found}


def openapi() -> dict[str, Any]:
    """The OpenAPI document, but for the version."""
    made = document(OPERATIONS)
    return {**made, "info": {**made["info"], "version": ""}}


def main() -> None:
    """Freezes every part."""
    os.environ.setdefault("REFRESHER_INTEGRATION_REFRESH__TRANSPORT", "in_process")
    GOLDEN.mkdir(exist_ok=True)
    for part in PARTS:
        text = json.dumps(collect(part), indent=1, ensure_ascii=False, sort_keys=True)
        (GOLDEN / f"{part}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
