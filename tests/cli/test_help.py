"""The command line itself: help, version, wrong use, and how commands end."""

import signal
import subprocess

import pytest

from refresher.cli.app import COMMANDS as ALL
from refresher.cli.app import PURPOSES
from tests.cli.kit import COMMAND, Cli

COMMANDS = [
    "migrate", "doctor", "settings", "token", "events", "providers list", "providers show",
    "providers check", "apps set", "apps list", "encryption new-key", "connections import",
    "connections list", "connections show", "connections refresh", "connections pause",
    "connections resume", "connections disable", "connections delete", "top", "connect",
    "connect sessions list", "connect sessions cancel", "connections reconnect-link",
    "connections learn-accounts",
    "keys create", "keys list", "keys revoke", "keys audit",
    "webhooks add", "webhooks list", "webhooks show", "webhooks remove", "webhooks enable",
    "webhooks rotate-secret", "webhooks test", "webhooks deliveries", "webhooks replay",
    "recipients add", "recipients list", "recipients remove", "organizations set",
    "organizations list",
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(bare: Cli, command: str):
    """`--help` of each command tells what it does, its options, and an example to copy."""
    ran = bare(*command.split(), "--help")
    assert ran.code == 0
    assert "Examples:" in ran.stdout
    assert f"refresher {command}"[:40] in ran.stdout.split("Examples:")[1]
    assert "--json" in ran.stdout


def test_every_command_has_a_purpose(bare: Cli):
    """Without arguments the commands stand by what they are for, each once, within 80 columns."""
    assert sorted(name for names in PURPOSES.values() for name in names) == sorted(ALL)
    bare.env |= {"COLUMNS": "80"}
    told = bare().stdout
    assert all(purpose in told for purpose in PURPOSES)
    assert max(map(len, told.splitlines())) <= 80


def test_a_shell_completes_commands_and_options(bare: Cli):
    """As `refresher --install-completion` has it ask: the commands of a group, and their options."""
    for words, found in (
        ("refresher connections l", "list"),
        ("refresher top --re", "--read-only"),
    ):
        bare.env |= {"_REFRESHER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "2"}
        assert found in bare.process().stdout.splitlines()


def test_the_version_is_told(bare: Cli):
    """`--version` prints name and version."""
    ran = bare.process("--version")
    assert (ran.code, ran.stdout.split()[0]) == (0, "refresher")


def test_help_loads_nothing_heavy(bare: Cli):
    """`--help` imports neither SQLAlchemy nor an HTTP client nor pydantic, so it is quick."""
    code = (
        "import sys; sys.argv = ['refresher', '--help']\n"
        "from refresher.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in ('sqlalchemy', 'httpx', 'pydantic', 'redis', 'dramatiq', 'alembic')"
        " if m in sys.modules])"
    )
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["conections"], ["no such command 'conections'", "did you mean 'connections'"]),
        (["connections", "list", "--state", "dead"], ["'--state'", "idle", "leased", "parked"]),
        (["connections", "list", "--limit", "0"], ["'--limit'"]),
        (["connections", "list", "--after", "x"], ["'--after'"]),
        (["connections", "list", "--reason", "bored"], ["'--reason'", "reconnect_required"]),
        (["connections", "show"], ["missing argument"]),
        (["apps", "set", "acme"], ["missing option '--client-id'"]),
        (["settings", "--yaml"], ["no such option: --yaml"]),
    ],
)
def test_wrong_use_is_one_sentence(bare: Cli, arguments: list[str], parts: list[str]):
    """A wrong command, option or value ends in one sentence that names it, exit code 2."""
    ran = bare(*arguments)
    ran.refused("see `refresher")
    for part in parts:
        assert part.lower() in ran.stderr.lower()


def test_a_process_ends_without_traceback(bare: Cli):
    """The real command ends in the same sentence and exit code as it does within tests."""
    bare.process("connections", "list").refused("DATABASE_URL is not set", "refresher up")


@pytest.mark.slow
def test_a_closed_pipe_is_quiet(cli: Cli):
    """`refresher … | head -1` prints one line and no complaint."""
    cli.connect(*(f"c{n}" for n in range(400)))
    listing = " ".join([*COMMAND, "connections list --limit 1000 --json"])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{listing} | head -1"],
        env=cli.environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_an_interrupt_ends_with_130(cli: Cli):
    """Ctrl-C ends a command with exit code 130 and no traceback."""
    # Given a command that follows a connection's history
    cli.connect("c1")
    with cli.running("events", "c1", "--follow", "--json") as process:
        assert process.stdout is not None
        assert b"imported" in process.stdout.readline()
        # When it is interrupted
        process.send_signal(signal.SIGINT)
        # Then it is gone, without a word
        _, stderr = process.communicate(timeout=200)
    assert (process.returncode, stderr) == (130, b"")


def test_names_cannot_steer_the_terminal(cli: Cli):
    """A stored text is printed without control characters, and never read as markup."""
    cli.connect("c1", name="[red]not red[/red]")
    assert "[red]not red[/red]" in cli("connections", "show", "c1").stdout


def test_json_is_all_that_stdout_carries(cli: Cli):
    """With --json, hints and headings stay off stdout, and no token is in a listing."""
    cli.connect("c1", "c2")
    ran = cli("connections", "list", "--limit", 2, "--json")
    assert {line["external_id"] for line in ran.lines} == {"c1", "c2"}
    assert "--after" in ran.stdout + ran.stderr
    assert "access-of-" not in ran.stdout
