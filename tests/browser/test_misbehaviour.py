"""Providers that answer amiss, each tried in a browser with our fake one (T14, T15, T17, T23)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.chromium import needs_browser
from tests.browser.conftest import Site
from tests.browser.journey import heading, words

pytestmark = [pytest.mark.slow, needs_browser]


def connected(site: Site, external_id: str, **order: Any) -> str:
    """Connects an account at the fake provider; returns the connection's id."""
    session = site.deployment.session("fake", external_id=external_id, **order)
    assert heading(site.at_fake().connect(session)) == "Acme Calendar is connected"
    return str(site.deployment.ended(session)["connection_id"])


def test_t14_no_refresh_token_of_the_same_account(site: Site) -> None:
    """The stored one is kept where the connection lives, for it is proved to be the same account."""
    connection = connected(site, "t14")
    site.fake.admin.change_options(offline="never")
    session = site.deployment.session(connection_id=connection)
    page = site.at_fake().connect(session)
    assert heading(page) == "Acme Calendar is connected", words(page)
    assert site.deployment.refreshes(connection)


def test_t14_no_refresh_token_at_all(site: Site) -> None:
    """A new connection without one is none: the person may allow it again."""
    site.fake.admin.change_options(offline="never")
    session, ann = site.deployment.session("fake", external_id="t14b"), site.at_fake()
    page = ann.connect(session)
    assert "Please allow it again" in words(page)
    assert site.deployment.status(session)["problem"]["code"] == "no_refresh_token"
    site.fake.admin.change_options(offline="always")
    ann.press(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Calendar is connected"


def test_t15_a_required_scope_was_unticked(site: Site) -> None:
    """It is named in words, nothing is connected, and the person may tick it."""
    scopes = {"scopes": ["calendars"], "required_scopes": ["calendars"]}
    session = site.deployment.session("fake", external_id="t15", **scopes)
    ann = site.at_fake(unticks=("calendars",))
    page = ann.connect(session)
    assert heading(page) == "A permission is missing"
    assert "read your calendars" in words(page)
    status = site.deployment.status(session)
    assert (status["problem"]["code"], status["missing_scopes"]) == ("scope_missing", ["calendars"])
    ann.person = site.at_fake().person
    ann.press(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Calendar is connected"


def test_t15_another_scope_was_unticked(site: Site) -> None:
    """It is connected all the same, and the application is told what is missing."""
    session = site.deployment.session("fake", external_id="t15b", scopes=["calendars"])
    page = site.at_fake(unticks=("calendars",)).connect(session)
    assert heading(page) == "Acme Calendar is connected"
    assert site.deployment.ended(session)["missing_scopes"] == ["calendars"]


@pytest.mark.parametrize("kind", ["status_500", "garbage", "hang"])
def test_t17_an_answer_that_never_came(site: Site, kind: Any) -> None:
    """Outcome unknown: the code is not sent again, the old connection refreshes on."""
    connection = connected(site, f"t17-{kind}")
    session, ann = site.deployment.session(connection_id=connection), site.at_fake()
    site.fake.admin.add_fault(kind, on="code", count=1, seconds=2)
    before = site.fake.admin.summary().code_requests
    page = ann.connect(session)
    assert "Nothing was connected" in words(page)
    assert site.fake.admin.summary().code_requests <= before + 1
    status = site.deployment.status(session)
    assert (status["state"], status["problem"]["code"]) == ("open", "outcome_unknown")
    assert site.deployment.refreshes(connection)
    ann.press(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Calendar is connected"


def test_t17_an_answer_that_takes_its_time(site: Site) -> None:
    """The page says so, goes on by itself, and ends as it should."""
    site.fake.admin.add_fault("slow", on="code", count=1, seconds=6)
    session, ann = site.deployment.session("fake", external_id="t17-slow"), site.at_fake()
    page = ann.at_consent(session)
    ann.person.allow(page)
    page.get_by_role("status").wait_for()
    assert heading(page) == "One moment, please"
    assert heading(ann.arrived(page)) == "Acme Calendar is connected"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"callback_parameters": "shop=other.shops.example"}, "wrong_host"),
        ({"callback_parameters": "shop=evil.example"}, "wrong_host"),
        ({"callback_hmac": "wrong"}, "bad_callback"),
    ],
    ids=["of another", "of nobody", "badly signed"],
)
def test_t23_a_callback_of_another_host(site: Site, told: dict[str, str], code: str) -> None:
    """Refused before the code leaves; the host that our page asked for was looked at, too."""
    right = {"callback_parameters": "shop=acme.shops.example", "callback_hmac": "right"}
    site.fake.admin.change_options(**right | told)
    host = told.get("callback_parameters", code)
    session, ann = site.deployment.session("shop", external_id=host), site.at_fake()
    page = ann.opened(session)
    page.fill("input", "evil.example")
    page.get_by_role("button").click()
    page.get_by_text("This is not an address at Acme Shop").wait_for()
    page.fill("input", "acme.shops.example")
    ann.press(page)
    before = site.fake.admin.summary().code_requests
    ann.person.allow(page)
    ann.arrived(page)
    assert site.deployment.status(session)["problem"]["code"] == code
    assert site.fake.admin.summary().code_requests == before
    site.fake.admin.change_options(**right)
    ann.press(page)
    ann.person.allow(page)
    assert heading(ann.arrived(page)) == "Acme Shop is connected"
