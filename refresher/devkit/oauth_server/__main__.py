"""The provider as a process: `python -m refresher.devkit.oauth_server --port 0`.

Every field of `Options` is a flag of the same name; `--entry NAME` behaves as that entry of the
catalogue says. Prints one JSON line when it listens, and exits with 0 on SIGTERM or Ctrl+C.
"""

import argparse
import json
import os
import signal
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from refresher.catalogue import load
from refresher.devkit.oauth_server.entry.decision import options_of
from refresher.devkit.oauth_server.options import Mistake, Options, read_as
from refresher.devkit.oauth_server.server import FakeProvider
from refresher.errors import CatalogueError, UnknownProvider
from refresher.rules.providers import Provider

_PARENT_CHECK_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> int:
    """Serves until told to stop; returns the exit code, 2 for a mistake in the flags."""
    parser = _parser()
    flags = vars(parser.parse_args(arguments))
    host, port = flags.pop("host"), flags.pop("port")
    port_file, with_parent = flags.pop("port_file"), flags.pop("exit_with_parent")
    name, file = flags.pop("entry"), flags.pop("providers_file")
    try:
        entry = None if name is None else _entry(name, file)
        known = {} if entry is None else options_of(entry)
        provider = FakeProvider(read_as(Options, known | flags), host=host, port=port, entry=entry)
    except (Mistake, CatalogueError, UnknownProvider) as mistake:
        parser.error(str(mistake))
    except (OSError, OverflowError) as error:
        parser.error(f"cannot listen on {host}:{port}, choose another --port ({error})")
    _serve(provider, port_file, os.getppid() if with_parent else None)
    return 0


def _serve(provider: FakeProvider, port_file: Path | None, parent: int | None) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with provider:
        if port_file is not None:
            _write_whole(port_file, f"{provider.port}\n")
        told: dict[str, Any] = {"url": provider.url, "pid": os.getpid()} | provider.places
        if provider.consent_places:
            told["connect"] = provider.consent_places
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        while not stopping.wait(None if parent is None else _PARENT_CHECK_SECONDS):
            if parent is not None and os.getppid() != parent:
                return


def _entry(name: str, file: Path | None) -> Provider:
    return load(file, allow_loopback=True, tolerant=True)[name]


def _write_whole(path: Path, text: str) -> None:
    """Writes a file that a waiting reader sees complete or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m refresher.devkit.oauth_server",
        usage="%(prog)s [--port 0] [--rotation always] [--lifetime-seconds 20] ... (see --help)",
        description="A fake OAuth 2.0 authorization server with faults and a ledger.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help="write the port here once it listens")
    parser.add_argument(
        "--exit-with-parent", action="store_true", help="stop when the process that started it ends"
    )
    parser.add_argument(
        "--entry", metavar="NAME", help="behave as this entry of the catalogue says"
    )
    parser.add_argument(
        "--providers-file", type=Path, help="read entries from this file, too; see --entry"
    )
    hints = get_type_hints(Options, include_extras=True)
    for option in fields(Options):
        flag = f"--{option.name.replace('_', '-')}"
        hint, help_text = get_args(hints[option.name])
        parser.add_argument(
            flag, help=f"{help_text} (default: {option.default})", **_flag_kind(hint)
        )
    return parser


def _flag_kind(hint: object) -> dict[str, Any]:
    """Returns argparse's settings for a field; an absent flag leaves the field's default alone."""
    kind: dict[str, Any] = {"default": argparse.SUPPRESS}
    if hint is bool:
        return kind | {"action": argparse.BooleanOptionalAction}
    choices = [choice for choice in get_args(hint) if isinstance(choice, str)]
    return kind | ({"choices": choices} if choices else {})


if __name__ == "__main__":
    sys.exit(main())
