"""The one word for how a connection does, as a table."""

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.explanation import Health, HealthFacts, health, in_words


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (HealthFacts(), "ok"),
        (HealthFacts(postponed_by="rate:google"), "ok"),
        (HealthFacts(postponed_by="pace:google"), "ok"),
        (HealthFacts(failures=5), "retrying (5)"),
        (HealthFacts(failures=5, is_expired=True), "retrying (5)"),
        (HealthFacts(failures=1, postponed_by="provider:google"), "retrying (1)"),
        (HealthFacts(postponed_by="provider:google", is_expired=True), "waiting"),
        (HealthFacts(postponed_by="app:google/default"), "waiting"),
        (HealthFacts(is_expired=True), "expired"),
        (HealthFacts(status="reconnect_required", parked_reason="reconnect_required"), "reconnect"),
        (HealthFacts(status="reconnect_required"), "reconnect"),
        (HealthFacts(parked_reason="crash_loop"), "stuck"),
        (HealthFacts(parked_reason="of_a_newer_version"), "stuck"),
        (HealthFacts(parked_reason="paused"), "paused"),
        (HealthFacts(parked_reason="disabled"), "off"),
        (HealthFacts(parked_reason="mid_oauth"), "connecting"),
        (HealthFacts(in_between_steps=True), "connecting"),
        (HealthFacts(is_paused=True, status="reconnect_required"), "paused"),
        (HealthFacts(is_disabled=True, is_paused=True), "off"),
        (HealthFacts(is_deleted=True, is_disabled=True), "deleted"),
    ],
)
def test_a_connection_has_one_word(facts: HealthFacts, expected: str) -> None:
    """What somebody decided comes first, then the grant, then the schedule, then the token."""
    assert in_words(facts) == expected


@pytest.mark.parametrize("reason", ParkReason)
def test_no_parked_connection_is_called_well(reason: ParkReason) -> None:
    """Whatever a row is parked for, its word says that it is not refreshed."""
    told = {Health.OK, Health.RETRYING, Health.WAITING, Health.EXPIRED}
    assert health(HealthFacts(parked_reason=reason)) not in told
