"""The Python of the pages runs: here what needs a stage of its own, and who runs the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from standardwebhooks import Webhook

from refresher.client import Refresher
from refresher.devkit.browser import Browser
from tests.client.conftest import BACK, Place
from tests.docs.blocks import PAGES, ROOT, blocks

ELSEWHERE = {
    "README.md": "tests/client/test_docs.py",
    "docs/sdk.md": "tests/client/test_docs.py",
    "docs/frameworks.md": "tests/client/test_frameworks.py",
    "docs/testing.md": "tests/testing/test_plugin.py",
    "docs/first-day.md": "tests/docs/test_console.py",
}
HERE = ("docs/connect.md", "docs/webhooks.md")


def run(page: str, given: dict[str, Any]) -> dict[str, Any]:
    """Runs the Python of a page, each block after the ones before it; returns the names."""
    for block in (one for one in blocks(page) if one.language == "python"):
        exec(compile(block.text, str(block), "exec"), given)
    return given


@pytest.fixture
def refresher(place: Place) -> Iterator[Refresher]:
    """The SDK at a provider that consents."""
    with Refresher(**place.direct) as opened:
        yield opened


@pytest.mark.slow
def test_what_connects_an_account_runs(refresher: Refresher) -> None:
    """The route that begins, and the one to which the person comes back."""
    session: dict[str, Any] = {}
    request = SimpleNamespace(args={})
    acme = SimpleNamespace(
        connect_url=lambda **k: refresher.connect_url(
            **k | {"provider": "acme", "scopes": ["read"]}
        ),
        connect_complete=refresher.connect_complete,
    )
    names = run(
        "docs/connect.md",
        {"refresher": acme, "session": session, "request": request, "redirect": str},
    )
    # When
    with Browser() as ann:
        page = ann.open(names["connect"](), until=BACK)
    assert page.next_url is not None, page.words
    request.args.update({k: v[0] for k, v in parse_qs(urlsplit(page.next_url).query).items()})
    # Then
    assert names["connected"]().endswith(" is connected")
    assert session == {}


def test_what_receives_a_webhook_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of the two ways takes a message that is signed, and shows what it says."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message = {
        "type": "connection.recovered",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"connection_id": str(uuid4()), "external_id": "1042"},
    }
    body = json.dumps(message)
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", at, body),
    }
    for block in (one for one in blocks("docs/webhooks.md") if one.language == "python"):
        names: dict[str, Any] = {}
        exec(compile(block.text.replace("whsec_…", secret), str(block), "exec"), names)
        names["receive"](body.encode(), headers)
        assert "connection.recovered" in capsys.readouterr().out


def test_somebody_runs_the_python_of_every_page() -> None:
    """A page with Python that no test names fails; so does a test that no longer names its page."""
    with_python = {page for page in PAGES if any(b.language == "python" for b in blocks(page))}
    assert with_python == {*ELSEWHERE, *HERE}
    for page, test in ELSEWHERE.items():
        known = (ROOT / test).read_text(encoding="utf-8")
        assert page.rpartition("/")[2] in known or "WITH_COMMANDS" in known, (page, test)
