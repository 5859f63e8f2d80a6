"""What looks at things starts quickly: it imports nothing of what refreshes, sends or migrates."""

import subprocess

import pytest

from tests.cli.kit import COMMAND, Cli

HEAVY = {
    "alembic", "apscheduler", "dramatiq", "fastapi", "httpx", "jinja2", "jwt", "prometheus_client",
    "pyreqwest", "redis", "rich.progress", "smtplib", "sqlalchemy", "structlog", "uvicorn",
    "refresher.outbound", "refresher.refresh", "refresher.notify", "refresher.runtime.services",
}  # fmt: skip
READING = [
    "connections list", "connections list --query c", "connections list --health fresh --json",
    "connections show c1", "token c1", "events c1", "inspect c1", "explain c1", "settings",
]  # fmt: skip


def loaded(cli: Cli, command: str) -> set[str]:
    """Returns the modules of a process of its own that has run `command`."""
    code = (
        f"import atexit, sys; sys.argv = ['refresher', *{command.split()!r}]\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        "from refresher.cli import main; main()"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=cli.environment({}),
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("command", READING)
def test_a_reading_command_loads_nothing_that_it_does_not_use(cli: Cli, command: str):
    """Neither what sends, refreshes and migrates nor the libraries that these need."""
    cli.connect("c1")
    assert loaded(cli, command) & HEAVY == set()
