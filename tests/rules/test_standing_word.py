"""The one word for how a connection stands, and what is said beside it, as tables."""

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.standing_word import (
    BLOCKADES,
    PARKED,
    Health,
    HealthFacts,
    NoteFacts,
    health,
    note,
)

GONE = "reconnect_required"


def parked(reason: str, **more: object) -> HealthFacts:
    """A row that is out of the schedule."""
    return HealthFacts(state="parked", parked_reason=reason, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (HealthFacts(), "fresh"),
        (HealthFacts(late_seconds=30.0), "fresh"),
        (HealthFacts(late_seconds=30.1), "late"),
        (HealthFacts(postponed_by="rate:google"), "fresh"),
        (HealthFacts(postponed_by="pace:google", late_seconds=31), "late"),
        (HealthFacts(failures=5), "retrying"),
        (HealthFacts(failures=5, postponed_by="rate:google"), "retrying"),
        (HealthFacts(failures=5, is_expired=True), "expired"),
        (HealthFacts(failures=1, postponed_by="provider:google"), "waiting"),
        (HealthFacts(postponed_by="app:google/default", late_seconds=90), "waiting"),
        (HealthFacts(postponed_by="provider:google", is_expired=True), "expired"),
        (HealthFacts(state="leased", is_expired=True, failures=2), "refreshing"),
        (HealthFacts(state="leased", parked_reason="paused"), "refreshing"),
        (HealthFacts(state="none"), "blocked"),
        (parked(GONE, status=GONE), "reconnect_required"),
        (parked(GONE), "reconnect_required"),
        (HealthFacts(status=GONE), "reconnect_required"),
        (parked("crash_loop", is_expired=True), "blocked"),
        (parked("of_a_newer_version"), "blocked"),
        (parked("paused"), "paused"),
        (parked("disabled", is_paused=True), "disabled"),
        (parked("mid_oauth", status=GONE), "connecting"),
        (HealthFacts(in_between_steps=True), "connecting"),
        (HealthFacts(state="leased", is_paused=True, status=GONE), "paused"),
        (HealthFacts(is_disabled=True, is_paused=True), "disabled"),
        (HealthFacts(is_deleted=True, is_disabled=True), "deleted"),
        (parked("missing"), "deleted"),
    ],
)
def test_a_connection_has_one_word(facts: HealthFacts, expected: str) -> None:
    """What somebody decided comes first, then the grant, then the schedule, then the token."""
    assert health(facts) == expected


@pytest.mark.parametrize("reason", ParkReason)
def test_no_parked_connection_is_called_well(reason: ParkReason) -> None:
    """Whatever a row is parked for, its word says that it is not refreshed."""
    told = {Health.REFRESHING, Health.FRESH, Health.LATE, Health.RETRYING, Health.WAITING}
    assert health(parked(reason)) not in {*told, Health.EXPIRED}


def test_every_word_has_a_label_a_colour_and_a_shape() -> None:
    """Red is what somebody must act on; no two words look alike."""
    assert Health.RECONNECT_REQUIRED.label == "Reconnect required"
    assert {word for word in Health if word.tone == "bad"} == {
        Health.RECONNECT_REQUIRED,
        Health.BLOCKED,
        Health.EXPIRED,
    }
    assert len({(word.tone, word.shape) for word in Health}) == len(Health)


@pytest.mark.parametrize(
    ("word", "facts", "expected"),
    [
        (Health.RECONNECT_REQUIRED, NoteFacts(cause="invalid_grant"), "invalid_grant"),
        (Health.BLOCKED, NoteFacts("app_not_configured"), "no app is stored for it"),
        (Health.BLOCKED, NoteFacts("of_a_newer_version"), "of_a_newer_version"),
        (Health.BLOCKED, NoteFacts(), None),
        (Health.WAITING, NoteFacts(postponed_by="app:acme/eu"), "app acme/eu is refused"),
        (
            Health.WAITING,
            NoteFacts(postponed_by="provider:acme@shop.example"),
            "acme at shop.example is left alone",
        ),
        (Health.RETRYING, NoteFacts(failure="HTTP 503"), "HTTP 503"),
        (Health.EXPIRED, NoteFacts(failure="timeout"), "timeout"),
        (Health.FRESH, NoteFacts(failure="HTTP 503", cause="x"), None),
    ],
)
def test_a_note_says_whom_it_waits_for_or_why(
    word: Health, facts: NoteFacts, expected: str | None
) -> None:
    """In a few words; a reason that this version does not know is told as it is."""
    assert note(word, facts) == expected


def test_every_reason_for_a_blockade_has_words() -> None:
    """A reason is either one of the other words, or is told as a blockade."""
    assert {*PARKED, *BLOCKADES} == set(ParkReason)
