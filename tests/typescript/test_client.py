"""The client's own tests pass, against a refresher that runs; package, types and docs are true."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.connection import connection_id
from refresher.rules.webhooks import make_secret
from tests.processes import Spawner
from tests.typescript.kit import deployment, needs_npm, run

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAMES = [
    ("org-1", "google", "1042"),
    ("org", "acme", "ann@acme.example"),
    ("Zoë & Söhne", "slack", "T1/U2"),
    ("日本", "line", "ユーザー"),
    ("o", "x" * 64, "😀" * 100),
    (" ", "a", "-1"),
]


def vectors() -> dict[str, list[dict[str, Any]]]:
    """Returns ids as refresher makes them, and webhooks as standardwebhooks signs them."""
    ids = [
        {"organizationId": o, "provider": p, "externalId": e, "id": str(connection_id(o, p, e))}
        for o, p, e in NAMES
    ]
    return {"ids": ids, "webhooks": [_webhook(number) for number in range(4)]}


def _webhook(number: int) -> dict[str, Any]:
    secret = make_secret(bytes(range(number, number + 24 + number))).reveal()
    told = {
        "type": f"connection.é{number}",
        "timestamp": NOW.isoformat(),
        "data": {"n": "日" * number},
    }
    body, id_ = json.dumps(told, ensure_ascii=bool(number % 2)), f"msg-{number}"
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": f"v1,AAAA {Webhook(secret).sign(id_, NOW, body)}",
    }
    now = (NOW + timedelta(seconds=60 * number)).isoformat()
    return {"body": body, "headers": headers, "secret": secret, "now": now}


@pytest.mark.slow
@needs_npm
def test_its_own_tests_pass(spawn: Spawner, database_url: str, tmp_path: Path) -> None:
    """`npm test` with a scheduler, a web process and a provider that rotates strictly."""
    file = tmp_path / "vectors.json"
    file.write_text(json.dumps(vectors()), encoding="utf-8")
    with FakeProvider() as provider:
        env = deployment(spawn, provider, database_url, tmp_path)
        printed = run("npm", "test", env={**env, "TEST_VECTORS": str(file)})
    assert "# skipped 0" in printed
