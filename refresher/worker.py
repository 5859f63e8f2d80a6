"""The worker processes: `python -m refresher.worker --processes 1 --threads 8`.

Dramatiq's own command with our log, and with its arguments. `dramatiq refresher.actors` runs the same
workers; but its first process, which only watches over the others, then writes lines of its own form
among our JSON, and puts the working directory in front of what is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dramatiq import cli

from refresher.errors import RefresherError
from refresher.runtime.log import adopt_all, configure, say_last
from refresher.settings import load

# `--path` without a value: nothing is imported from the working directory.
OURS = ("--path", "--skip-logging", "refresher.actors")


def main(arguments: Sequence[str] = ()) -> int:
    """Runs until SIGTERM; returns the exit code."""
    try:
        settings = load()
    except RefresherError as error:
        say_last(error)
        return error.exit_code
    configure(settings)
    adopt_all()
    # With a SIGHUP Dramatiq starts itself anew, as `sys.argv` says.
    sys.argv = [sys.executable, "-m", "refresher.worker", *arguments]
    parser = cli.make_argument_parser()  # type: ignore[no-untyped-call]  # Dramatiq's are not
    parser.prog = "python -m refresher.worker"
    given = parser.parse_args([*OURS, *arguments])
    return int(cli.main(given) or 0)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
