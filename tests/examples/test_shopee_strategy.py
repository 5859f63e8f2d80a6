"""The example of a plug-in: it keeps the promises, and signs as the provider checks."""

from __future__ import annotations

import hashlib
import hmac
import json
import tomllib
from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.catalogue.plugins import installed
from refresher.testing import Sample, check_strategy

FOLDER = Path(__file__).parents[2] / "examples" / "shopee_strategy"
GRANTED = Sample(
    b'{"access_token": "a", "refresh_token": "r", "expire_in": 14400, "error": "", "message": ""}'
)
DEAD = Sample(b'{"error": "invalid_refresh_token", "message": "gone"}', 403)


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package as an installer leaves it: its module, and its entry points."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    info = tmp_path / "shopee_strategy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shopee-strategy\nVersion: 1.0\n")
    points = project["entry-points"]["refresher.strategies"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[refresher.strategies]", *lines, ""]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(FOLDER))
    installed.cache_clear()


def test_the_example_keeps_every_promise() -> None:
    """Its entry loads, and its request carries a signature that only the partner key makes."""
    entry = load(FOLDER / "providers.toml")["shopee"]
    changed = {"client_id": "1000639", "parameters": {"shop_id": "37698"}}
    wanted = check_strategy(installed("shopee"), entry, granted=GRANTED, dead=DEAD, changed=changed)
    signed = f"1000639/api/v2/auth/access_token/get{wanted.query['timestamp']}"
    sign = hmac.new(b"a-client-secret", signed.encode(), hashlib.sha256).hexdigest()
    assert wanted.query == {"partner_id": "1000639", "timestamp": "1795000000", "sign": sign}
    assert json.loads(wanted.body or b"") == {
        "partner_id": 1000639,
        "shop_id": 37698,
        "refresh_token": "a-refresh-token",
    }
