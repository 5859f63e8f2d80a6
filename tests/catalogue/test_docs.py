"""`docs/providers.md` is whole and true."""

from __future__ import annotations

import re
from pathlib import Path

from tests.catalogue.conftest import Load

TEXT = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_example_loads(load_text: Load, monkeypatch) -> None:
    """What the page shows can be copied."""
    monkeypatch.setenv("ACME_SECRET", "x")
    example = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[0]
    loaded = load_text(example)
    assert set(loaded["acme"].placeholders) == {"tenant", "user_type"}
    assert loaded["salesforce"].keep_fields == ("instance_url", "id")
