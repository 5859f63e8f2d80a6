"""`docs/providers.md` is whole and true."""

from __future__ import annotations

import re
from pathlib import Path

from refresher.catalogue.built_in import BUILT_IN
from tests.catalogue.conftest import Load

TEXT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_example_loads(load_text: Load, monkeypatch) -> None:
    """What the page shows can be copied."""
    monkeypatch.setenv("ACME_SECRET", "x")
    example = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0]
    loaded = load_text(example)
    assert set(loaded["acme"].placeholders) == {"tenant", "user_type"}
    assert loaded["salesforce"].keep_fields == ("instance_url", "id")


def test_the_built_in_fields_to_keep_are_those_told() -> None:
    """Whoever looks for a built-in one finds it there."""
    for name in sorted(BUILT_IN.names):
        named = BUILT_IN.table(name).get("keep_fields", [])
        assert isinstance(named, list)
        for field in named:
            assert f"`{field}`" in TEXT, name
