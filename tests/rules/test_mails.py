"""Who hears of what, what a mail server's answer means, and what follows: as tables."""

import pytest

from refresher.rules.mails import (
    Accepted,
    Choice,
    Deferred,
    MailDecision,
    MailOutcome,
    Rejected,
    SmtpStage,
    Unreachable,
    at_once,
    choice,
    classify_http,
    classify_smtp,
    clean,
    decide,
    named,
)

DAY = 86_400.0


@pytest.mark.parametrize(
    ("chosen", "kind", "expected", "facts"),
    [
        ({}, "connection.connected", Choice.DIGEST, {"flow": "redirect"}),
        ({}, "connection.connected", Choice.IMMEDIATE, {"flow": "link"}),
        ({"connection.connected": "none"}, "connection.connected", Choice.NONE, {"flow": "link"}),
        ({}, "connection.reconnect_required", Choice.IMMEDIATE, {}),
        ({}, "connection.recovered", Choice.DIGEST, {}),
        ({}, "app.misconfigured", Choice.IMMEDIATE, {}),
        ({}, "webhook.disabled", Choice.IMMEDIATE, {}),
        ({"connection.recovered": "none"}, "connection.recovered", Choice.NONE, {}),
        ({"connection.recovered": "none"}, "connection.expiring", Choice.DIGEST, {}),
        ({}, "connection.of_a_newer_version", Choice.DIGEST, {}),
    ],
)
def test_a_recipient_hears_as_it_chose(
    chosen: dict[str, str], kind: str, expected: Choice, facts: dict[str, object]
) -> None:
    """What was chosen counts; the rest comes at once only if it needs a person."""
    assert choice(chosen, kind, facts) is expected


@pytest.mark.parametrize(
    ("wanted", "recent", "expected"), [(1, 0, 1), (5, 0, 3), (1_000, 2, 1), (1, 3, 0), (1, 9, 0)]
)
def test_a_storm_becomes_a_digest(wanted: int, recent: int, expected: int) -> None:
    """No more than three at once in a while."""
    assert at_once(wanted, recent, burst=3) == expected


@pytest.mark.parametrize(
    ("stage", "code", "text", "expected"),
    [
        ("connect", 554, "go away", Unreachable("554 go away")),
        ("auth", 535, "5.7.8 wrong password", Unreachable("535 5.7.8 wrong password")),
        ("sender", 553, "not yours", Unreachable("553 not yours")),
        ("recipient", 421, "closing", Unreachable("421 closing")),
        ("recipient", 530, "5.7.0 log in first", Unreachable("530 5.7.0 log in first")),
        ("recipient", 450, "greylisted", Deferred("450 greylisted")),
        ("recipient", 550, "no such user", Rejected("550 no such user", address=True)),
        ("recipient", 550, "5.1.1 none", Rejected("550 5.1.1 none", address=True)),
        ("recipient", 550, "5.2.1 disabled", Rejected("550 5.2.1 disabled", address=True)),
        ("recipient", 554, "5.7.1 relaying", Deferred("554 5.7.1 relaying")),
        ("data", 451, "later", Deferred("451 later")),
        ("data", 552, "5.3.4 too big", Deferred("552 5.3.4 too big")),
        ("data", 554, "5.6.0 bad content", Rejected("554 5.6.0 bad content", address=False)),
        ("data", 554, "no", Rejected("554 no", address=False)),
    ],
)
def test_an_smtp_reply_has_one_meaning(
    stage: SmtpStage, code: int, text: str, expected: MailOutcome
) -> None:
    """Only a bad address blocks an address; what concerns all mails is no fault of one."""
    assert classify_smtp(stage, code, text) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Accepted()),
        (202, Accepted()),
        (400, Rejected("HTTP 400 why", address=False)),
        (422, Rejected("HTTP 422 why", address=False)),
        (401, Unreachable("HTTP 401 why", 7.0)),
        (404, Unreachable("HTTP 404 why", 7.0)),
        (429, Unreachable("HTTP 429 why", 7.0)),
        (503, Unreachable("HTTP 503 why", 7.0)),
        (301, Unreachable("HTTP 301 why", 7.0)),
    ],
)
def test_an_http_status_has_one_meaning(status: int, expected: MailOutcome) -> None:
    """A mail that the API finds wrong is not sent again; all else is about every mail."""
    assert classify_http(status, "why", 7.0) == expected


def test_a_server_s_words_are_one_clean_line() -> None:
    """What a server says is stored and shown: no control characters, no novels."""
    assert clean("a\r\nb\x1b[31m c\t d") == "a b [31m c d"
    assert len(clean("x" * 999)) == 200


@pytest.mark.parametrize(
    ("outcome", "attempt", "age", "pauses", "expected"),
    [
        (Accepted(), 2, 9.0, 0, MailDecision("sent", attempt=3)),
        (Rejected("r", address=True), 0, 9.0, 0, MailDecision("failed", 0, 1, "r", True)),
        (Rejected("r", address=False), 0, 9.0, 0, MailDecision("failed", 0, 1, "r")),
        (Deferred("d"), 0, 9.0, 0, MailDecision("due", 30.0, 1, "d")),
        (Deferred("d"), 3, 9.0, 0, MailDecision("due", 240.0, 4, "d")),
        (Deferred("d"), 99, 9.0, 0, MailDecision("due", 3_600.0, 100, "d")),
        (Deferred("d"), 99, 4 * DAY, 0, MailDecision("failed", 0, 100, "given up: d")),
        (Unreachable("u"), 4, 9 * DAY, 0, MailDecision("due", 0, 4, "u", pause_seconds=5.0)),
        (Unreachable("u"), 4, 9.0, 3, MailDecision("due", 0, 4, "u", pause_seconds=40.0)),
        (Unreachable("u"), 4, 9.0, 99, MailDecision("due", 0, 4, "u", pause_seconds=300.0)),
        (Unreachable("u", 900.0), 4, 9.0, 0, MailDecision("due", 0, 4, "u", pause_seconds=900.0)),
        (Unreachable("u", 1e9), 4, 9.0, 0, MailDecision("due", 0, 4, "u", pause_seconds=3_600.0)),
    ],
)
def test_what_follows_from_an_outcome(
    outcome: MailOutcome, attempt: int, age: float, pauses: int, expected: MailDecision
) -> None:
    """A mail is tried for four days, a server is waited for without end."""
    made = decide(outcome, attempt=attempt, age_seconds=age, pauses=pauses, dice=0.0)
    assert made == expected


def test_retries_are_spread() -> None:
    """A thousand mails that were deferred together do not come back together."""
    made = decide(Deferred("d"), attempt=0, age_seconds=0, pauses=0, dice=0.999)
    assert 22.5 <= made.due_in_seconds < 23


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("1042", "1042"),
        ("ann@acme.example", "ann@acme.example"),
        ("Ann's calendar", "“Ann's calendar”"),
        ("a\u202eb\r\nSubject: c\x1b", "“a b Subject: c”"),
        ("“a” “b”", '“"a" "b"”'),
        ("https://evil.example", "“https: evil.example”"),
        ("x" * 81, "x" * 79 + "…"),
        ("x" * 10_000_000, "x" * 79 + "…"),
        ("", ""),
        (7, "7"),
    ],
)
def test_a_name_of_somebody_s_is_shown_as_one(given: object, shown: str):
    """Short, on one line, no link, and in quotes where it has several words."""
    assert named(given) == shown
