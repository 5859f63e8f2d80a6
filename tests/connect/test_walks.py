"""Whole ways, from the link to what came of it: real pages, a provider that misbehaves, a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.devkit.oauth_server import FakeProvider
from refresher.rules.connection import connection_id
from refresher.testing import Sandbox
from tests.connect.driver import Browser, Page

ACCOUNT = connection_id("test", "fake", "calendar")
OURS, BACK = "https://connect.test", "/connect/callback/"


@pytest.fixture
def ann(refresher_sandbox: Sandbox) -> Iterator[Browser]:
    """A person's browser."""
    with refresher_sandbox.visitor("ann") as browser:
        yield browser


def begun(sandbox: Sandbox, browser: Browser, external_id: str = "calendar") -> Page:
    """The person at the point where the provider sends it back; `next_url` is the callback."""
    browser.open(sandbox.connect_url(external_id, scopes=("read",)))
    return browser.submit(until=BACK)


def walked(sandbox: Sandbox, browser: Browser) -> Page:
    """What the person sees at the end."""
    begun(sandbox, browser)
    return browser.go_on()


def is_kept_fresh(sandbox: Sandbox) -> bool:
    """Whether what is stored is refreshed when its time comes."""
    sandbox.clock.advance(3000)
    return sandbox.tick()["refreshed"] == 1


def test_a_stolen_code_is_of_no_use(
    refresher_sandbox: Sandbox, refresher_provider: FakeProvider, ann: Browser
) -> None:
    """T3: own state and cookie with another's code are refused by PKCE; the session can go on."""
    with refresher_sandbox.visitor("mallory") as mallory:
        stolen = begun(refresher_sandbox, mallory, "other").next_url or ""
    own = begun(refresher_sandbox, ann).next_url or ""
    code, stolen_code = (url.partition("code=")[2].partition("&")[0] for url in (own, stolen))
    page = ann.open(own.replace(code, stolen_code))
    assert (page.status, refresher_provider.admin.summary().codes_exchanged) == (200, 0)
    assert page.title == "Nothing was connected"
    ann.submit()
    assert ann.page is not None
    assert ann.page.title == "fake is connected"


@pytest.mark.parametrize("kind", ["iss_changed", "state_changed", "state_twice", "code_twice"])
def test_a_callback_of_somebody_else_leads_nowhere(
    refresher_sandbox: Sandbox, refresher_provider: FakeProvider, ann: Browser, kind: str
) -> None:
    """T4: another issuer or state, a parameter that comes twice: no code leaves, nothing is told."""
    refresher_provider.admin.add_fault(kind, count=1)  # type: ignore[arg-type]
    page = walked(refresher_sandbox, ann)
    assert refresher_provider.admin.summary().code_requests == 0
    assert "another.example" not in page.text
    assert "is connected" not in page.title


def test_an_issuer_that_lies_in_an_error_is_not_quoted(
    refresher_sandbox: Sandbox, refresher_provider: FakeProvider, ann: Browser
) -> None:
    """T4, T12: neither a wrong iss beside an error nor 3 kB of HTML in its words come to a page."""
    words = "<b>your account is locked</b>" * 100
    refresher_provider.admin.add_fault(
        "error", on="authorize", error="odd", error_description=words
    )
    page = walked(refresher_sandbox, ann)
    assert page.status < 500
    assert "locked" not in page.text
    refresher_provider.admin.change_options(callback_parameters="iss=https://another.example")
    ann.submit()
    assert ann.page is not None
    assert "another.example" not in ann.page.text


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("status_500", {}),
        ("garbage", {}),
        ("error", {"status": 200}),
        ("drop_before", {}),
        ("drop_after_commit", {}),
        ("truncated", {}),
    ],
)
def test_a_token_endpoint_in_trouble_gets_no_code_twice(
    refresher_sandbox: Sandbox,
    refresher_provider: FakeProvider,
    ann: Browser,
    kind: str,
    rule: dict[str, int],
) -> None:
    """T17: whatever becomes of the code, it is not sent again, and the connection lives on."""
    refresher_sandbox.connect("calendar")
    refresher_provider.admin.add_fault(kind, on="code", **rule)  # type: ignore[arg-type]
    page = walked(refresher_sandbox, ann)
    assert (page.status, refresher_provider.admin.summary().code_requests <= 1) == (200, True)
    assert "is connected" not in page.title
    assert is_kept_fresh(refresher_sandbox)
    assert refresher_provider.admin.summary().codes_sent_twice == 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "codes"), [("hang", 0), ("slow", 1)])
def test_a_code_that_is_answered_too_late_is_not_sent_again(
    refresher_sandbox: Sandbox,
    refresher_provider: FakeProvider,
    ann: Browser,
    kind: str,
    codes: int,
) -> None:
    """T17: a person waits on a page that moves on by itself, and is told that nobody knows."""
    refresher_sandbox.connect("calendar")
    refresher_provider.admin.add_fault(kind, on="code", seconds=25)  # type: ignore[arg-type]
    assert walked(refresher_sandbox, ann).title == "fake has trouble right now"
    assert refresher_provider.admin.summary().codes_exchanged == codes
    assert refresher_provider.admin.summary().codes_sent_twice == 0
    assert is_kept_fresh(refresher_sandbox)


def test_another_account_changes_nothing(
    refresher_sandbox: Sandbox, refresher_provider: FakeProvider, ann: Browser
) -> None:
    """T13: the page says whose account it was; the old token is refreshed; the right one reconnects."""
    assert walked(refresher_sandbox, ann).title == "fake is connected"
    before = refresher_sandbox.tokens(ACCOUNT)
    with refresher_sandbox.visitor("ben") as ben:
        page = walked(refresher_sandbox, ben)
        assert "ben@fake.example" in page.words
        assert refresher_sandbox.tokens(ACCOUNT) == before
        ben.open(f"{refresher_provider.url}/login?account=ann")
        ben.back()
        ben.submit()
        assert ben.page is not None
        assert ben.page.title == "fake is connected"
    assert is_kept_fresh(refresher_sandbox)


@pytest.mark.parametrize(
    ("callback", "hmac", "is_connected"),
    [("", "right", True), ("", "wrong", False), ("shop=other.myshopify.com", "right", False)],
)
def test_a_shop_is_the_one_that_was_asked(
    refresher_database_url: str, tmp_path: Path, callback: str, hmac: str, is_connected: bool
) -> None:
    """T23: a callback that another secret signed, or that names another's shop, moves no code."""
    with FakeProvider.of(load()["shopify"]) as provider:
        provider.admin.change_options(callback_parameters=callback, callback_hmac=hmac)
        sandbox = Sandbox.build(refresher_database_url, provider, tmp_path)
        with sandbox.visitor("ann") as browser:
            browser.open(sandbox.connect_url(host="acme.myshopify.com"))
            page = browser.submit()
        assert (page.title == "Shopify is connected") is is_connected
        assert provider.admin.summary().code_requests == int(is_connected)
        sandbox.close()
