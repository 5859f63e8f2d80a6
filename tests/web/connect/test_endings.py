"""What came of a consent, on its page: another account, a missing permission, time that is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from refresher.connections import connect
from refresher.rules.connect import Flow, Outcome, State
from tests.web.connect.stage import ACTOR, Stage
from tests.web.connect.test_visits import BUTTON


@pytest.fixture(autouse=True)
def _usual(stage: Stage) -> Iterator[None]:
    yield
    stage.provider.admin.change_options(granted_scopes=None, offline="always")
    stage.services.database.simulated_now = None


def pass_by(stage: Stage, seconds: float) -> None:
    """Lets so many seconds pass for the database."""
    stage.services.database.simulated_now = datetime.now(UTC) + timedelta(seconds=seconds)


def test_another_account_changes_nothing(stage: Stage) -> None:
    """T13: the page names both, the stored one masked; the next attempt asks for the account."""
    session, url = stage.link(external_id="eve-1")
    with stage.browser("eve") as eve:
        eve.open(url)
        assert "is connected" in eve.submit(BUTTON).words
    again, url = stage.link(connection_id=stage.now(session).connection_id, provider=None)
    with stage.browser("ben") as ben:
        page = ben.open(url)
        assert "Reconnect Fake" in page.words
        assert "e•••@fake.example" in page.words
        page = ben.submit(BUTTON)
        assert "This was ben@fake.example" in page.words
        assert "belongs to e•••@fake.example" in page.words
        assert "eve@" not in page.text
        page = ben.submit("Use another account", until="/authorize")
        assert "prompt=select_account" in (page.next_url or "")
        assert stage.now(again).state is State.OPEN
        ben.open(f"{stage.provider.url.replace('127.0.0.1', 'localhost')}/login?account=eve")
        ben.open(url)
        assert "is connected" in ben.submit(BUTTON).words


def test_a_permission_that_is_needed_is_asked_for_again(stage: Stage) -> None:
    """C22: the page says which, in words."""
    stage.provider.admin.change_options(granted_scopes="openid")
    session, url = stage.link(required_scopes=["read"])
    with stage.browser() as ann:
        ann.open(url)
        page = ann.submit(BUTTON)
        for words in (
            "A permission is missing",
            "read your letters",
            "Without it Acme cannot work",
        ):
            assert words in page.words
        stage.provider.admin.change_options(granted_scopes=None)
        assert "is connected" in ann.submit("Try again").words
    assert stage.now(session).outcome is Outcome.CONNECTED


def test_access_that_does_not_last_is_none(stage: Stage) -> None:
    """T14: without a refresh token nothing is stored."""
    stage.provider.admin.change_options(offline="never")
    _, url = stage.link()
    with stage.browser("noa") as ann:
        ann.open(url)
        page = ann.submit(BUTTON)
        assert "access for a short time only" in page.words
        stage.provider.admin.change_options(offline="always")
        assert "is connected" in ann.submit("Try again").words


def test_an_attempt_that_was_begun_in_time_may_end(stage: Stage) -> None:
    """T11: its session's end does not stop it; its own does."""
    one, url = stage.link(expires_in_seconds=60)
    other, late_url = stage.link(flow=Flow.LINK)
    with stage.browser("liv") as liv:
        liv.open(url)
        callback = liv.submit(BUTTON, until="/connect/callback").next_url or ""
        liv.open(late_url)
        too_late = liv.submit(BUTTON, until="/connect/callback").next_url or ""
        pass_by(stage, 120)
        page = liv.open(url)
        assert (page.status, "This link has ended" in page.words) == (410, True)
        assert "is connected" in liv.open(callback).words
        pass_by(stage, 1_000)
        page = liv.open(too_late)
        assert "That took too long" in page.words
        assert [b[0] for f in page.forms for b in f.buttons] == ["Try again"]
    assert stage.now(one).outcome is Outcome.CONNECTED
    assert stage.now(other).state is State.OPEN


def test_a_session_that_was_cancelled_meanwhile_is_over(stage: Stage) -> None:
    """T20: its code is not sent."""
    session, url = stage.link()
    before = stage.sent_codes
    with stage.browser() as ann:
        ann.open(url)
        ann.submit(BUTTON, until="/connect/callback")
        connect.cancel(stage.services, session.id, ACTOR)
        page = ann.go_on()
        assert "This link has ended" in page.words
        assert not page.forms
    assert stage.sent_codes == before
