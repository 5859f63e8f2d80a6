"""T24: `refresher doctor` asks the public URL once, and sees what a proxy in front does to people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from refresher.insight.doctor import Finding, connect
from refresher.rules.outcomes import Reply
from refresher.runtime.serving.server import Serving
from refresher.runtime.serving.sockets import listen
from refresher.settings import Settings
from refresher.store import oauth_apps
from refresher.web.connect.pages import faults
from tests.ports import free_port
from tests.web.connect.stage import Stage


def asked(stage: Stage, public_url: str | None) -> Finding:
    """What doctor says of this public URL."""
    (finding,) = connect.check(at(stage, public_url), faults)
    return finding


def at(stage: Stage, public_url: str | None) -> Settings:
    """The settings of the pages, with another address."""
    changed = {"public_url": public_url, "connect_templates": None}
    return stage.services.settings.model_copy(update=changed)


@contextmanager
def proxy(stage: Stage, change: Any) -> Iterator[str]:
    """A proxy in front of the pages that changes what headers it likes."""

    async def passing(scope: Any, receive: Any, send: Any) -> None:
        await stage.pages({**scope, "headers": change(scope["headers"])}, receive, send)

    serving = Serving(
        passing, listen("127.0.0.1", port := free_port()), most=10, patience_seconds=5
    )
    yield f"http://127.0.0.1:{port}"
    serving.stop()


def test_the_public_url_leads_here(stage: Stage) -> None:
    """All is well where the answer is ours and the cookie arrived."""
    finding = asked(stage, stage.here)
    assert finding.level == "ok"
    assert "leads here, and cookies arrive" in finding.message


def test_nobody_answers_at_the_public_url(stage: Stage) -> None:
    """It says so, and how to mend it."""
    finding = asked(stage, f"http://127.0.0.1:{free_port()}")
    assert finding.level == "warn"
    assert "does not lead here" in finding.message


def test_somebody_else_answers_at_the_public_url(stage: Stage) -> None:
    """A page of another server, or of another installation, is not taken for ours."""
    finding = asked(stage, stage.provider.url)
    assert "is not this installation" in finding.message


def test_a_proxy_that_strips_cookies(stage: Stage) -> None:
    """Nobody could ever come back: that is worth a line."""
    with proxy(stage, lambda given: [h for h in given if h[0] != b"cookie"]) as url:
        finding = asked(stage, url)
    assert "cookies do not arrive" in finding.message
    assert "Cookie header" in (finding.mend or "")


def test_a_proxy_that_adds_cookies_does_no_harm(stage: Stage) -> None:
    """Cookies of somebody else's are nobody's business."""
    with proxy(stage, lambda given: [*given, (b"cookie", b"lb=1; rfc-doctor2=x")]) as url:
        assert asked(stage, url).level == "ok"


def test_a_proxy_that_nobody_trusts(stage: Stage) -> None:
    """All people would share one limit."""
    trusted, stage.pages._trusted = stage.pages._trusted, ()
    try:
        told = (b"x-forwarded-for", b"203.0.113.9")
        with proxy(stage, lambda given: [*given, told]) as url:
            finding = asked(stage, url)
    finally:
        stage.pages._trusted = trusted
    assert "is not trusted" in finding.message


def test_no_or_a_wrong_public_url(stage: Stage) -> None:
    """Without one nobody connects, which is no fault; http from outside is one."""
    assert asked(stage, None).level == "ok"
    assert "https" in asked(stage, "http://acme.example").message


def test_another_nonce_is_no_page(stage: Stage) -> None:
    """Only what doctor makes is answered."""
    assert stage.ask("GET", f"{stage.url}/connect/self/x").status_code == 404


def test_apps_are_told_with_their_redirect_uris(stage: Stage) -> None:
    """What to register is printed; what nobody can connect by, too, with the reason."""
    settings = at(stage, "https://acme.example")
    with stage.services.database.transaction() as db:
        oauth_apps.put(db, "adobe", "default", "id", None)
        oauth_apps.put(db, "slack", "default", "id", None)
    told = {f.message for f in connect.check_tables(settings, stage.services.database)}
    uri = "https://acme.example/connect/callback/fake"
    assert f"fake/default: register the redirect URI {uri}" in told
    local = at(stage, stage.here)
    warned = [f for f in connect.check_tables(local, stage.services.database) if f.level == "warn"]
    assert any("slack/default: Slack takes https://" in f.message for f in warned)


@pytest.mark.parametrize("given", [b"", b"[]", b"{"])
def test_an_answer_that_is_none(
    stage: Stage, given: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in its body, it is not ours."""
    monkeypatch.setattr(connect, "ask_ourselves", lambda *_: Reply(200, {}, given))
    assert "is not this installation" in asked(stage, stage.here).message
