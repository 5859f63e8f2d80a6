"""The page of one connection, part by part: lives as bars, events as rows, who was told, deeds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from refresher.rules.history import Moment, PastEvent
from refresher.store.audit import PastAuditEntry
from refresher.store.told import Mails, Message, Notice, Told
from refresher.web.dashboard.pages import connection_events, connection_told
from refresher.web.dashboard.pages.connection_lives import Bar, Life, Lives, lives

ID = UUID(int=7)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
IDLE = Moment(
    *("idle", NOW + timedelta(minutes=18), None, None, 0, 0, 0, None, None, None, None),
    *(1, 1, "active", None, NOW + HOUR / 2, 3600.0, None, None, None, None, False),
)


def clock(at: datetime) -> str:
    """Writes an instant as the page does."""
    return f"{at:%H:%M}"


def both(moment: Moment = IDLE, **given: Any) -> tuple[Life, Life]:
    """Returns the lives of both tokens."""
    has = {"has_access_token": True, "has_refresh_token": True, **given}
    return lives(Lives(moment, NOW, "Acme", **has), clock)


def test_a_life_goes_from_stored_to_end_with_now_and_the_refresh_in_it() -> None:
    """Half of an hour is left, and the refresh stands at four fifths of it."""
    access, refresh = both()
    assert access == Life(
        "Access token",
        "30 min left",
        "",
        Bar(
            *("stored 11:30", "ends 12:30", "50.0%", "50.0%"),
            due="80.0%",
            due_words="refresh at 12:18",
        ),
    )
    assert refresh == Life("Refresh token", "nobody tells when it ends", "still")


@pytest.mark.parametrize(
    ("minutes", "anchor"), [(-29, "start"), (0, "middle"), (29, "end"), (-60, None), (31, None)]
)
def test_the_refresh_is_written_where_there_is_room(minutes: int, anchor: str | None) -> None:
    """At either end its words turn inwards; outside of the life there is no mark."""
    bar = both(replace(IDLE, due_at=NOW + timedelta(minutes=minutes)))[0].bar
    assert bar is not None
    assert (bar.due_anchor if bar.due else None) == anchor


@pytest.mark.parametrize(
    ("moment", "given", "says"),
    [
        (IDLE, {"has_access_token": False}, ("none is stored", "nobody tells when it ends")),
        (
            replace(IDLE, expires_at=None),
            {"has_refresh_token": False},
            ("nobody tells when it ends", "none is stored"),
        ),
        (
            replace(IDLE, expires_at=NOW - HOUR, refresh_token_expires_at=NOW - HOUR),
            {},
            ("ended 60 min ago", "ended 60 min ago"),
        ),
        (
            replace(IDLE, refresh_token_expires_at=NOW + timedelta(days=180)),
            {"is_sliding": True},
            ("30 min left", "180 days left"),
        ),
        (
            replace(IDLE, refresh_token_expires_at=NOW + HOUR, lifetime_seconds=None),
            {},
            ("30 min left", "60 min left, ends 13:00"),
        ),
        (replace(IDLE, status="reconnect_required"), {}, ("30 min left", "ended by Acme")),
    ],
)
def test_a_life_is_told_in_words(
    moment: Moment, given: dict[str, bool], says: tuple[str, str]
) -> None:
    """What nobody tells is told so; what the provider ended is its doing."""
    access, refresh = both(moment, **given)
    assert (access.says, refresh.says) == says


def test_a_grant_that_was_ended_tells_when() -> None:
    """As far as an event tells it."""
    dead = replace(IDLE, status="reconnect_required")
    bar = both(dead, refused_at=NOW - HOUR)[1].bar
    assert bar == Bar("", "refused 11:00", is_over=True)


def event(n: int, at: datetime, kind: str = "refreshed", **given: Any) -> PastEvent:
    """Returns an event."""
    return PastEvent(n, ID, at, kind, **given)


def test_attempts_stand_on_one_scale_under_their_days() -> None:
    """Durations between the steps, and how many attempts had failed before a success."""
    claimed = NOW - timedelta(seconds=2)
    steps: dict[str, Any] = {
        "claimed_at": claimed,
        "begun_at": claimed + timedelta(milliseconds=20),
    }
    first = event(3, NOW, **steps, elapsed_seconds=1.62, lateness_seconds=0.3, http_status=200)
    failed = event(2, NOW - timedelta(days=1), "transient", reason="status 503", failures=1)
    paused = event(1, NOW - timedelta(days=2), "paused", reason="by API key abcdefghijkl, ann")
    names = {"abcdefghijkl": "ops-laptop"}
    one, two, three = connection_events.rows([first, failed, paused], None, NOW, UTC, names)
    assert one.took == "20 ms → 1.6 s → 360 ms"
    assert [bar.kind for bar in one.phases] == ["ph-wait", "ph-out", "ph-store"]
    assert one.beside == "after 1 failure"
    assert (one.late, one.http_status, two.took) == ("0.3 s", 200, "")
    assert [row.day for row in (one, two, three)] == [
        "Today, 1 March",
        "Yesterday, 28 February",
        "27 February",
    ]
    assert three.beside == "by API key ops-laptop, ann"
    assert connection_events.key_ids([first, paused]) == {"abcdefghijkl"}


def test_what_failed_is_a_fault_on_the_scale_and_a_long_wait_is_in_words() -> None:
    """The time at the provider is red where nothing good came of it."""
    steps: dict[str, Any] = {"claimed_at": NOW - HOUR, "begun_at": NOW - HOUR}
    swept = event(1, NOW, "swept", **steps, lateness_seconds=7200.0)
    (row,) = connection_events.rows([swept], None, NOW, UTC, {})
    assert [bar.kind for bar in row.phases] == ["ph-wait", "ph-fault"]
    assert row.late == "2 h"


def message(state: str, **given: Any) -> Message:
    """Returns a message to an endpoint."""
    url = "https://hooks.example.org/a?secret=x"
    values = {"attempt": 0, "http_status": None, "reason": None, "ended_at": None, **given}
    return Message(ID, ID, url, False, state, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "tone", "words"),
    [
        (message("delivered", http_status=204, ended_at=NOW), "good", ", HTTP 204 at 12:00"),
        (message("held"), "warn", ": held, it is disabled"),
        (message("failed", http_status=500, ended_at=NOW), "bad", ": given up at 12:00, HTTP 500"),
        (message("sending"), "plain", ": under way"),
        (message("waiting"), "still", ": is to be sent"),
        (
            message("waiting", attempt=2, reason="timeout"),
            "warn",
            ": tried 2 times, timeout; it is tried again",
        ),
    ],
)
def test_a_message_is_told_by_its_host_and_how_it_went(one: Message, tone: str, words: str) -> None:
    """Nothing of an address but its host is shown: the rest may be a secret."""
    notice = Notice(ID, "connection.recovered", NOW)
    (item,) = connection_told.told([Told(notice, (one,), ())], clock)
    assert (item.title, item.tone) == ("connection.recovered", tone)
    assert item.words == f"To hooks.example.org{words}"


@pytest.mark.parametrize(
    ("mails", "title", "words"),
    [
        (Mails(ID, "org", "sent", 1, NOW, None), "1 recipient of org", "Taken by the mail server"),
        (Mails(ID, "", "failed", 2, NOW, "full"), "2 operators", "Failed at 12:00: full"),
        (Mails(ID, "", "failed", 1, None, None), "1 operator", "Failed: no reason was given"),
        (Mails(ID, "org", "digest", 1, None, None), "1 recipient of org", "Waits for the next"),
        (Mails(ID, "org", "waiting", 1, None, None), "1 recipient of org", "Is to be sent"),
    ],
)
def test_mails_are_told_by_whose_recipients_they_went_to(
    mails: Mails, title: str, words: str
) -> None:
    """No address is shown."""
    (item,) = connection_told.told([Told(Notice(ID, "x", NOW), (), (mails,))], clock)
    assert item.title == f"Mail to {title}"
    assert item.words.startswith(words)


def test_a_notice_for_nobody_is_shown_as_well() -> None:
    """It says that nobody is there to be told."""
    (item,) = connection_told.told([Told(Notice(ID, "x", NOW), (), ())], clock)
    assert item.words == "12:00: nobody is there to be told"


def entry(n: int, action: str, *, at: datetime = NOW, count: int = 1, subject: str | None = None):
    """Returns an entry of the audit."""
    return PastAuditEntry(n, at, "abcdefghijkl", action, "org", ID, subject, count)


def test_what_one_key_does_again_and_again_is_one_item_a_day() -> None:
    """Reads are written many times a day; who shares a key is told by the subject."""
    entries = [
        entry(5, "paused", subject="by ann"),
        entry(4, "token_read", count=200),
        entry(3, "token_read", count=14),
        entry(2, "token_read", at=NOW - timedelta(days=1)),
    ]
    found = connection_told.deeds(entries, {"abcdefghijkl": "crm"}, clock, UTC)
    assert [(one.title, one.words) for one in found] == [
        ("crm paused it", "12:00, by ann"),
        ("crm read its token", "12:00, 214 times that day"),
        ("crm read its token", "12:00"),
    ]
