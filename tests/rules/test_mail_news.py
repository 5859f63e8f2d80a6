"""What of a mail is still so when it leaves, as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from refresher.rules.notices import (
    ConnectionNow,
    Fate,
    Kind,
    NewsNow,
    NoticeSubject,
    fates,
    still_so,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WELL = ConnectionNow()
DEAD = ConnectionNow(status="reconnect_required", trouble="reconnect_required", is_parked=True)
LATE = ConnectionNow(trouble="refresh_delayed", is_dead=True)
ENDS = ConnectionNow(refresh_token_expires_at=NOW + timedelta(days=7))


def about(kind: str, connection: ConnectionNow | None = None, **fields: object) -> NewsNow:
    """Returns one piece of news about the connection c1 or the app acme/default."""
    subject: NoticeSubject = ("connection", "c1")
    if kind.startswith("app."):
        subject = ("app", "acme/default")
    known = NewsNow(UUID(int=1), kind, subject, 1, NOW, connection=connection)
    return replace(known, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "connection", "expected"),
    [
        (Kind.RECONNECT_REQUIRED, DEAD, True),
        (Kind.RECONNECT_REQUIRED, replace(DEAD, is_stopped=True), True),
        (Kind.RECONNECT_REQUIRED, WELL, False),
        (Kind.RECONNECT_REQUIRED, LATE, False),
        (Kind.RECONNECT_REQUIRED, replace(DEAD, is_deleted=True), False),
        (Kind.RECONNECT_REQUIRED, None, False),
        (Kind.REFRESH_DELAYED, LATE, True),
        (Kind.REFRESH_DELAYED, DEAD, False),
        (Kind.REFRESH_DELAYED, WELL, False),
        (Kind.REFRESH_DELAYED, replace(LATE, is_parked=True), False),
        (Kind.REFRESH_DELAYED, replace(LATE, is_stopped=True), False),
        (Kind.REFRESH_DELAYED, replace(LATE, is_deleted=True), False),
        (Kind.RECOVERED, WELL, True),
        (Kind.RECOVERED, DEAD, False),
        (Kind.RECOVERED, LATE, False),
        (Kind.RECOVERED, replace(WELL, is_parked=True), False),
        (Kind.RECOVERED, replace(WELL, is_dead=True), False),
        (Kind.RECOVERED, replace(WELL, is_stopped=True), False),
        (Kind.RECOVERED, replace(WELL, is_deleted=True), False),
        (Kind.EXPIRING, ENDS, True),
        (Kind.EXPIRING, replace(ENDS, is_stopped=True), True),
        (Kind.EXPIRING, replace(ENDS, status="reconnect_required"), False),
        (Kind.EXPIRING, WELL, False),
        (Kind.EXPIRING, replace(ENDS, refresh_token_expires_at=NOW), False),
    ],
)
def test_a_connection_is_told_as_it_stands(
    kind: Kind, connection: ConnectionNow | None, expected: bool
) -> None:
    """Waiting, working, ending, to be reconnected: each only where it is so at this moment."""
    assert still_so(about(kind, connection)) is expected


@pytest.mark.parametrize(("days", "expected"), [(7, True), (6, False), (8, True)])
def test_an_end_that_moved_away_is_not_told(days: int, expected: bool) -> None:
    """A reconnect gave a later end: the day that was to be told is wrong."""
    news = about(Kind.EXPIRING, ENDS, ends_at=NOW + timedelta(days=days))
    assert still_so(news) is expected


@pytest.mark.parametrize(
    ("kind", "state", "expected"),
    [
        (Kind.APP_MISCONFIGURED, "misconfigured", True),
        (Kind.APP_MISCONFIGURED, "well", False),
        (Kind.APP_RECOVERED, "well", True),
        (Kind.APP_RECOVERED, "misconfigured", False),
        (Kind.WEBHOOK_DISABLED, "disabled", True),
        (Kind.WEBHOOK_DISABLED, "well", False),
        ("connection.of_a_newer_version", "well", True),
    ],
)
def test_apps_and_endpoints_are_told_as_they_stand(kind: str, state: str, expected: bool) -> None:
    """An app that is accepted by now is not called refused; what we do not know is passed on."""
    news = about(kind, state=state, endpoint_disabled=state == "disabled")
    assert still_so(news) is expected


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        (about(Kind.RECONNECT_REQUIRED, WELL, undecided=True, told="reconnect_required"), "hold"),
        (about(Kind.RECOVERED, DEAD, undecided=True, told="well"), "hold"),
        (about(Kind.APP_MISCONFIGURED, undecided=True, told="misconfigured"), "hold"),
        (about(Kind.RECONNECT_REQUIRED, WELL, told="reconnect_required"), "drop"),
        (about(Kind.RECONNECT_REQUIRED, WELL, undecided=True, told="well"), "drop"),
        (about(Kind.RECONNECT_REQUIRED, None, undecided=True, told="reconnect_required"), "drop"),
        (about(Kind.RECONNECT_REQUIRED, DEAD), "tell"),
    ],
)
def test_what_may_come_back_untold_waits(news: NewsNow, expected: str) -> None:
    """Trouble that is over for a moment would not be told anew, so its entry joins the next digest."""
    assert fates([news]) == {news.id: Fate(expected)}


def test_of_the_same_thing_the_newest_is_told() -> None:
    """A connection that broke twice stands in a digest once, whatever the order of reading."""
    first = about(Kind.RECONNECT_REQUIRED, DEAD)
    again = replace(first, id=UUID(int=2), sequence=3)
    other = replace(first, id=UUID(int=3), subject=("connection", "c2"))
    expected = {first.id: Fate.DROP, again.id: Fate.TELL, other.id: Fate.TELL}
    assert fates([again, first, other]) == expected


@pytest.mark.parametrize("kind", [Kind.CONNECTED, Kind.ACCOUNT_CHANGED, Kind.CONNECT_ENDED])
def test_what_came_of_a_consent_is_told_as_it_was(kind: Kind) -> None:
    """It happened: nobody has to do anything about it, so nothing can be over."""
    assert still_so(NewsNow(UUID(int=1), kind, ("session", "1"), 1, NOW))
