"""The installed wheel without a checkout: its commands, its migrations, its types, the SDK alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from refresher import __version__
from refresher.devkit.oauth_server import FakeProvider
from refresher.store.migrate import newest
from tests.cli.conftest import PROVIDERS
from tests.cli.kit import row
from tests.package.kit import LIMIT_SECONDS, Installed, bare, needs_tools, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_SECONDS), needs_tools]
TYPED = """
from refresher.client import AsyncRefresher, Refresher
from refresher.errors import TokenUnavailable
refresher = Refresher(api_url="https://refresher.example", api_key="rfr_x")
reveal_type(refresher.token("7b0d2a4e-0000-4000-8000-000000000000").expires_at)
wrong: int = refresher.api_url_that_nobody_has
"""
TOKEN = """
import sys
from refresher.client import Refresher
refresher = Refresher(api_url=sys.argv[1], api_key=sys.argv[2])
print(refresher.token(sys.argv[3]).access_token.reveal())
"""


def test_it_is_one_command(installed: Installed, empty: Path) -> None:
    """`--version` and `--help` answer; so does every command's help, so that no module is missing."""
    assert installed.refresher("--version", folder=empty) == f"refresher {__version__}\n"
    listed = installed.refresher("--help", folder=empty)
    script = "from refresher.cli.app import COMMANDS, load; print(*map(load, COMMANDS), sep='\\n')"
    assert "connections" in listed
    assert len(installed.python("-c", script, folder=empty).splitlines()) > 20
    where = installed.python("-c", "import refresher; print(refresher.__file__)", folder=empty)
    assert where.startswith(str(installed.venv))


def test_it_brings_its_own_migrations(
    installed: Installed, empty: Path, bare_database_url: str
) -> None:
    """`refresher migrate` makes a database of today out of an empty one, once."""
    told = [
        installed.refresher("migrate", folder=empty, DATABASE_URL=bare_database_url)
        for _ in range(2)
    ]
    assert newest() in told[0]
    assert newest() in told[1]


def test_its_first_refresh(installed: Installed, sdk_alone: Installed, empty: Path) -> None:
    """`up` on its own PostgreSQL, import, refresh, `doctor`; the SDK alone gets the token by HTTP."""
    (empty / ".refresher").mkdir(mode=0o700)
    with FakeProvider() as provider:
        (empty / ".refresher" / "providers.toml").write_text(PROVIDERS.format(url=provider.url))
        with installed.up(empty):
            first_refresh(provider, installed, sdk_alone, empty)


def first_refresh(
    provider: FakeProvider, installed: Installed, sdk_alone: Installed, empty: Path
) -> None:
    """Takes a grant in, and has its token refreshed and read."""
    grant = provider.admin.create_grants(1, prefix="real-")[0]
    given = row("ann", access_token=grant.access_token, refresh_token=grant.refresh_token)
    (empty / "ann.jsonl").write_text(json.dumps(given))
    installed.refresher("connections", "import", "ann.jsonl", folder=empty)
    line = json.loads(installed.refresher("connections", "list", "--json", folder=empty))
    told = installed.refresher("connections", "refresh", line["id"], folder=empty)
    assert "refreshed" in told
    token = installed.refresher("token", line["id"], folder=empty).strip()
    assert token != grant.access_token
    findings = json.loads(installed.refresher("doctor", "--json", folder=empty))["findings"]
    assert [found for found in findings if found["level"] == "fail"] == []
    settings = json.loads(installed.refresher("settings", "--json", folder=empty))
    made = installed.refresher(
        "keys", "create", "--name", "app", "--scope", "token", "--json", folder=empty
    )
    api = (settings["REFRESHER_PUBLIC_URL"]["value"], json.loads(made)["key"])
    assert sdk_alone.python("-c", TOKEN, *api, line["id"], folder=empty).strip() == token


def test_the_sdk_alone_needs_nothing_but_httpx(sdk_alone: Installed, empty: Path) -> None:
    """It is imported where none of what the service needs is installed."""
    assert sdk_alone.python("-c", "import refresher.client, refresher.errors", folder=empty) == ""
    lacking = (
        "import importlib.util as u; print(u.find_spec('pydantic'), u.find_spec('sqlalchemy'))"
    )
    assert sdk_alone.python("-c", lacking, folder=empty) == "None None\n"


def test_its_types_are_found(installed: Installed, empty: Path) -> None:
    """A strict mypy knows what a program of ours gets, and what there is not."""
    (empty / "program.py").write_text(TYPED)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--python-executable")
    python = installed.venv / "bin" / "python"
    ran = run(*mypy, python, "program.py", env=bare(), folder=empty, check=False)
    assert 'Revealed type is "datetime.datetime' in ran.stdout, ran.stdout
    assert '"Refresher" has no attribute "api_url_that_nobody_has"' in ran.stdout
    assert "Found 1 error in 1 file" in ran.stdout
