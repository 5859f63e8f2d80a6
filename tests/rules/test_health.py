"""The one word for how a connection does, as a table."""

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.health import Facts, Health, health, in_words


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(), "ok"),
        (Facts(postponed_by="rate:google"), "ok"),
        (Facts(failures=5), "retrying (5)"),
        (Facts(failures=5, is_expired=True), "retrying (5)"),
        (Facts(failures=1, postponed_by="provider:google"), "retrying (1)"),
        (Facts(postponed_by="provider:google", is_expired=True), "waiting"),
        (Facts(postponed_by="app:google/default"), "waiting"),
        (Facts(is_expired=True), "expired"),
        (Facts(status="reconnect_required", parked_reason="reconnect_required"), "reconnect"),
        (Facts(status="reconnect_required"), "reconnect"),
        (Facts(parked_reason="crash_loop"), "stuck"),
        (Facts(parked_reason="of_a_newer_version"), "stuck"),
        (Facts(parked_reason="paused"), "paused"),
        (Facts(parked_reason="disabled"), "off"),
        (Facts(parked_reason="mid_oauth"), "connecting"),
        (Facts(in_between_steps=True), "connecting"),
        (Facts(is_paused=True, status="reconnect_required"), "paused"),
        (Facts(is_disabled=True, is_paused=True), "off"),
        (Facts(is_deleted=True, is_disabled=True), "deleted"),
    ],
)
def test_a_connection_has_one_word(facts: Facts, expected: str) -> None:
    """What somebody decided comes first, then the grant, then the schedule, then the token."""
    assert in_words(facts) == expected


@pytest.mark.parametrize("reason", ParkReason)
def test_no_parked_connection_is_called_well(reason: ParkReason) -> None:
    """Whatever a row is parked for, its word says that it is not refreshed."""
    told = {Health.OK, Health.RETRYING, Health.WAITING, Health.EXPIRED}
    assert health(Facts(parked_reason=reason)) not in told
