"""What one run of the authorization server is told on its command line.

No Django here: the harness shares the names and defaults with the process that it starts.
Next: settings.py turns these into Django settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """One run: where its files lie, how many grants it starts with, and how long they last."""

    directory: Path
    grants: int = 50
    access_token_seconds: int = 20
    grace_seconds: int = 0
    port: int = 0

    @property
    def database_file(self) -> Path:
        """Names the SQLite database."""
        return self.directory / "authserver.sqlite3"

    @property
    def grants_file(self) -> Path:
        """Names the seeded grants, one object a line, as `refresher import` reads them."""
        return self.directory / "grants.jsonl"

    @property
    def requests_file(self) -> Path:
        """Names the recorded token requests, one object a line."""
        return self.directory / "requests.jsonl"

    def arguments(self) -> list[str]:
        """Returns the command line that `parse` reads back into these options."""
        return [
            f"--directory={self.directory}",
            f"--grants={self.grants}",
            f"--access-token-seconds={self.access_token_seconds}",
            f"--grace-seconds={self.grace_seconds}",
            f"--port={self.port}",
        ]


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line; a bad value ends the process with one sentence that names it."""
    # What is not given is left out, so that the defaults stand in one place: Options.
    parser = argparse.ArgumentParser(
        prog="python -m tests.acceptance.authserver", argument_default=argparse.SUPPRESS
    )
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--grants", type=int)
    parser.add_argument("--access-token-seconds", type=int)
    parser.add_argument("--grace-seconds", type=int)
    parser.add_argument("--port", type=int)
    options = Options(**vars(parser.parse_args(arguments)))
    if mistake := _mistake(options):
        parser.error(mistake)
    return options


def _mistake(options: Options) -> str | None:
    if options.grants < 1:
        return f"--grants is {options.grants}; give at least 1."
    if options.access_token_seconds < 1:
        return f"--access-token-seconds is {options.access_token_seconds}; give at least 1."
    if options.grace_seconds < 0:
        return f"--grace-seconds is {options.grace_seconds}; give 0 or more."
    if options.database_file.exists():
        return f"--directory {options.directory} holds an earlier run; give an empty directory."
    return None
