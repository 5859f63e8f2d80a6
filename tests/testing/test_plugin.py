"""The pytest plugin in other people's runs, and the examples of docs/testing.md."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from refresher.settings import Settings
from refresher.settings.names import flows
from refresher.testing.plugin import FLOWS, SERVER_VARIABLE
from tests.processes import OURS
from tests.services import PostgresServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text("utf-8"), re.DOTALL
)


def run_pytest(folder: Path, tests: str, *arguments: str, **env: str):
    """Runs pytest as somebody with refresher installed does."""
    (folder / "test_theirs.py").write_text(tests)
    installed = bool(entry_points(group="pytest11", name="refresher"))
    plugin = () if installed else ("-p", "refresher.testing.plugin")
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, *arguments],
        cwd=folder,
        env={**inherited, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


@pytest.mark.slow
def test_the_examples_of_the_documentation_run(tmp_path: Path, postgres: PostgresServer) -> None:
    """Every example in docs/testing.md passes as it stands, in a run of its own."""
    assert len(EXAMPLES) >= 6
    postgres.start()
    ran = run_pytest(tmp_path, "\n\n".join(EXAMPLES), **{SERVER_VARIABLE: postgres.url()})
    assert ran.returncode == 0, ran.stdout + ran.stderr
    named = re.findall(r"^def (test_\w+)", "\n".join(EXAMPLES), re.MULTILINE)
    assert f"{len(named)} passed" in ran.stdout
    assert len(set(named)) == len(named)


THEIRS = """
import os, subprocess, sys
import pytest

SHOW = "import refresher.settings as s; print(s.load().integration_refresh.enabled)"

def show():
    return subprocess.check_output([sys.executable, "-c", SHOW], text=True).strip()

def test_off():
    assert show() == "False"
    assert "refresher.settings" not in sys.modules, "nothing is loaded for who asks for nothing"

@pytest.mark.refresher_flows
def test_on():
    assert show() == "True"

@pytest.mark.refresher_flows("integration_refresh")
def test_on_by_name():
    assert os.environ["REFRESHER_INTEGRATION_REFRESH__ENABLED"] == "true"

def test_off_again():
    assert os.environ["REFRESHER_INTEGRATION_REFRESH__ENABLED"] == "false"
"""


@pytest.mark.slow
def test_flows_are_off_unless_a_test_asks_for_them(tmp_path: Path) -> None:
    """What a test starts refreshes nothing, except under the marker; and nothing else is touched."""
    ran = run_pytest(tmp_path, THEIRS, "--strict-markers", "-W", "error")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout


def test_what_the_environment_says_is_left_alone(tmp_path: Path) -> None:
    """Who sets the switch, has set it."""
    shown = THEIRS.partition("@pytest.mark")[0].replace('== "False"', '== "True"')
    ran = run_pytest(tmp_path, shown, REFRESHER_INTEGRATION_REFRESH__ENABLED="true")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_flow_that_does_not_exist_is_told(tmp_path: Path) -> None:
    """A typo in the marker is a sentence with the names there are."""
    ran = run_pytest(
        tmp_path,
        "import pytest\n@pytest.mark.refresher_flows('integration')\ndef test_x(): pass\n",
    )
    assert ran.returncode != 0
    assert "refresher_flows names integration; there is integration_refresh" in (
        ran.stdout + ran.stderr
    )


def test_every_flow_has_its_switch_here() -> None:
    """The plugin, which may not load the settings, knows every flow that they have."""
    assert sorted(flows(Settings.model_fields)) == sorted(FLOWS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_short(example: str) -> None:
    """Each can be read at one look."""
    assert len(example.splitlines()) <= 30
