"""Entries whose requests a plug-in makes: what is refused of the entry, and of the plug-in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.catalogue.plugins import installed
from refresher.rules.providers import Strategy
from tests.catalogue.conftest import ACME, Fault, Load

MODULE = """
class Good:
    def request(self, given): ...
    def answer(self, status, headers, body): ...
made = Good()
number = 3
"""
POINTS = """[refresher.strategies]
good = a_strategy:Good
made = a_strategy:made
number = a_strategy:number
lacking = a_strategy:nothing
raising = a_raising_strategy:X
leaving = a_leaving_strategy:X
twice = a_strategy:Good
"""
PLUGIN = ACME + 'strategy = "plugin"\n'


@pytest.fixture(autouse=True)
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two installed packages with strategies, as an installer leaves them."""
    folder = tmp_path / "site"
    for name, points in (("one", POINTS), ("two", "[refresher.strategies]\ntwice = other:X\n")):
        info = folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(points)
    (folder / "a_strategy.py").write_text(MODULE)
    (folder / "a_raising_strategy.py").write_text("raise RuntimeError('no\\nlicence')")
    (folder / "a_leaving_strategy.py").write_text("raise SystemExit(3)")
    monkeypatch.syspath_prepend(str(folder))
    installed.cache_clear()
    yield
    installed.cache_clear()
    for name in [name for name in sys.modules if name.endswith("_strategy")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["good", "made"])
def test_a_plug_in_is_an_object_or_a_class(load_text: Load, name: str):
    """It is found by its entry point."""
    entry = load_text(PLUGIN + f'plugin = "{name}"')["acme"]
    assert (entry.strategy, entry.plugin) == (Strategy.PLUGIN, name)
    assert callable(installed(name).request)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("", "plugin is missing: it names an entry point of refresher.strategies"),
        ('plugin = ""', "plugin must not be empty"),
        ('plugin = "goood"', 'such an entry point of refresher.strategies (did you mean "good"?)'),
        ('plugin = "none"', "install it where refresher runs"),
        ('plugin = "twice"', "which several packages have: keep one of a_strategy:Good, other:X"),
        ('plugin = "number"', 'plugin "number" (a_strategy:number) has no request() and answer()'),
        ('plugin = "lacking"', "(a_strategy:nothing) cannot be loaded: AttributeError"),
        ('plugin = "raising"', "cannot be loaded: RuntimeError: no"),
        ('plugin = "leaving"', "cannot be loaded: SystemExit: 3"),
        ('plugin = "good"\ngrant_type = "x"', "grant_type is set, but the plug-in makes the"),
        ('plugin = "good"\nclient_auth = "basic"', "client_auth is set, but the plug-in"),
        ('plugin = "good"\nsend_scope = true', "send_scope is set, but the plug-in"),
    ],
)
def test_each_mistake_is_one_sentence(fault: Fault, lines: str, sentence: str):
    """It names the entry and the plug-in; a stranger's lines are cut to one."""
    said = fault(PLUGIN + lines)
    assert "[providers.acme]: plugin" in said or "[providers.acme]: " in said
    assert sentence in said
    assert "licence" not in said


def test_a_plug_in_without_its_strategy_does_nothing(fault: Fault):
    """So it is refused."""
    assert 'plugin is set, but strategy is not "plugin"' in fault(ACME + 'plugin = "good"')
