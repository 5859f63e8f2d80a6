"""Importing the SDK costs an application nothing that it does not use."""

import json
import subprocess
import sys

import pytest

from refresher.client import Refresher, SettingsError

OPENED = "refresher.client.Refresher(api_url='http://localhost:1', api_key='rfr_x')"
HEAVY = {"asyncio", "sqlite3", "ssl", "http.client", "multiprocessing", "argparse", "tempfile"}
OURS = ("client", "errors", "rules")
LOADED = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def loaded(code: str) -> set[str]:
    """Returns what a process of its own has loaded after `code`, beside what every process has."""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", f"{code}\n{LOADED}"],
        capture_output=True,
        text=True,
        check=True,
    )
    bare = subprocess.run(
        [sys.executable, "-I", "-c", LOADED], capture_output=True, text=True, check=True
    )
    return set(json.loads(ran.stdout)) - set(json.loads(bare.stdout))


def foreign(modules: set[str]) -> set[str]:
    """Returns the packages among them that are neither Python's nor ours."""
    return {m.partition(".")[0] for m in modules} - set(sys.stdlib_module_names) - {"refresher"}


@pytest.mark.parametrize("then", ["", OPENED], ids=["imported", "opened"])
def test_importing_it_loads_the_standard_library_alone(then: str):
    """Neither httpx nor asyncio, and of ours only what an application is handed."""
    found = loaded(f"import refresher.client\n{then}")
    assert foreign(found) == set()
    assert found & HEAVY == set()
    ours = {m.split(".")[1] for m in found if m.startswith("refresher.")}
    assert ours == set(OURS)
    assert len([m for m in found if m.startswith("refresher.rules.")]) <= 10


def test_an_auth_loads_httpx_and_no_other_library():
    """Requests and aiohttp come with who uses them; httpx2 where it is installed."""
    found = foreign(loaded(f"import refresher.client\n{OPENED}.auth('0' * 32)"))
    assert "httpx" in found
    assert not found & {"requests", "aiohttp", "pydantic", "sqlalchemy", "structlog", "dramatiq"}


def test_straight_on_a_database_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    """Who installed httpx alone is told what brings the rest."""
    monkeypatch.setitem(sys.modules, "refresher.client.direct", None)
    with pytest.raises(SettingsError, match="the whole of refresher is needed"):
        Refresher(database_url="postgresql://x", encryption_keys="k")
