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


def test_up_without_redis_keeps_nothing_in_memory_that_it_does_not_use(cli: Cli):
    """Neither what migrates and what plays a provider nor httpx and redis-py."""
    code = (
        "import sys, refresher.cli.up, refresher.runtime.broker, refresher.scheduler\n"
        "import refresher.web.app\n"
        "print(*sys.modules)"
    )
    in_process = {"REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process"}
    done = subprocess.run(
        [COMMAND[0], "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=cli.environment(in_process),
    )
    unused = {
        "alembic", "httpx", "httpcore", "redis", "smtplib",
        "refresher.devkit.demo", "refresher.devkit.oauth_server",
    }  # fmt: skip
    assert set(done.stdout.split()) & unused == set()
