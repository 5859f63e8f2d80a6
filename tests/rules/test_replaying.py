"""`rules/recording.py` and `rules/replaying.py`: what is recorded decides the same again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from refresher.rules import policy as when
from refresher.rules.connection import ParkReason, Status
from refresher.rules.decision import decide
from refresher.rules.history import PastEvent, steps
from refresher.rules.outcomes import Reply, classify
from refresher.rules.paths import placed
from refresher.rules.policy import Policy
from refresher.rules.providers import Path
from refresher.rules.recording import of_exchange, of_guard
from refresher.rules.replay import replay
from tests.rules.samples import EPOCH, HOUR, ID, NOW, before, connection, jwt, provider, reply

SECRET = "s3cr3t-t0k3n-that-is-nobodys-business"
USUAL = provider()
FITBIT = provider(error_path=("errors", 0, "errorType"))
LAST = provider(
    error_path=("errors", -1, "c"),
    error_detail_path=("errors", -1, "d", 0),
    dead_grant_errors=frozenset({"e: y"}),
)
META = provider(error_path=("error",), response_path=("data",), refresh_token_lifetime_fields=())
EXACT = provider(dead_grant_errors=frozenset({"unauthorized_client: Old refresh token used"}))
COUNTING = provider(
    access_token_lifetime_fields=("ttl",),
    access_token_lifetime_format="minutes",
    refresh_token_lifetime_fields=("ends",),
    refresh_token_lifetime_format="minutes",
)
PROLONGING = provider(prolongs=True)
SPEAKING = provider(
    error_path=(("error",), ("errors", 0, "code")),
    status_errors={"401": "invalid_grant"},
    refusal_statuses=frozenset({500}),
)
ODD = provider(error_path=("access_token", "code"))


def recorded(entry: Any, answer: Reply, **known: Any) -> PastEvent:
    """Returns the event that a reply leaves."""
    then = replace(
        before(**known),
        spread=when.stable_spread(ID, 2),
        dice=when.stable_spread(ID, 5),
    )
    outcome = classify(entry, answer, EPOCH)
    decision = decide(outcome, answer, then, entry, Policy())
    due, life = decision.next_due_in_seconds, decision.new_life
    return PastEvent(
        1,
        ID,
        NOW,
        decision.event,
        lease_token=5,
        credential_version=1,
        attempt=decision.attempt,
        http_status=answer.status,
        reason=decision.reason,
        next_due_at=None if due is None else NOW + timedelta(seconds=due),
        exchange_seconds=answer.elapsed_seconds,
        state=2 if due is None else 0,
        unknown_outcomes=decision.unknown_outcomes,
        lifetime_seconds=life.lifetime_seconds if life else None,
        recorded=of_exchange(entry, answer, outcome, then),
    )


PAIR = {"access_token": SECRET, "refresh_token": SECRET}


@pytest.mark.parametrize(
    ("entry", "answer", "kind"),
    [
        (USUAL, reply({**PAIR, "expires_in": 3600}), "refreshed"),
        (USUAL, reply({**PAIR, "expires_in": 9, "refresh_token_expires_in": 99}), "refreshed"),
        (USUAL, reply({"access_token": SECRET, "expires_in": "60"}), "refreshed"),
        (USUAL, reply({"access_token": SECRET, "expires_in": "soon"}), "refreshed"),
        (USUAL, reply({"access_token": SECRET, "expires_in": 1e300}), "refreshed"),
        (USUAL, reply({"access_token": SECRET, "refresh_token_expires_in": 99}), "refreshed"),
        (USUAL, reply({"access_token": jwt({"exp": EPOCH + 777})}), "refreshed"),
        (META, reply({"data": {"access_token": SECRET, "expires_in": True}}), "refreshed"),
        (USUAL, reply({**PAIR, "expires_in": 0}), "refreshed"),
        (USUAL, reply({**PAIR, "expires_at": EPOCH + 20}), "refreshed"),
        (USUAL, reply({"access_token": jwt({"exp": EPOCH - 5}), "expires_in": 60}), "refreshed"),
        (USUAL, reply({**PAIR, "refresh_token_expires_in": 0}), "refreshed"),
        (USUAL, reply({**PAIR, "expires_in": 60}, failure="protocol"), "refreshed"),
        (USUAL, reply({"accessToken": SECRET}), "unreadable"),
        (META, reply({"accessToken": SECRET}, failure="timeout"), "unreadable"),
        (USUAL, reply(b"<html>", failure="protocol"), "transient"),
        (FITBIT, reply({"errors": [{"errorType": "invalid_grant"}]}, 400), "revoked"),
        (LAST, reply({"errors": [{"c": "x"}, {"c": "e: y", "d": ["z"]}]}, 400), "revoked"),
        (USUAL, reply({**PAIR, "ok": False}), "malformed"),
        (USUAL, reply({"refresh_token": SECRET}), "malformed"),
        (USUAL, reply(b"<html>"), "malformed"),
        (USUAL, reply({"error": "invalid_grant"}, 400), "revoked"),
        (USUAL, reply({"error": "invalid_client"}, 401), "misconfigured"),
        (USUAL, reply({"error": "slow_down"}, 400, headers={"Retry-After": "7"}), "rate_limited"),
        (USUAL, reply(status=503), "transient"),
        (USUAL, Reply(failure="timeout", elapsed_seconds=20), "transient"),
        (USUAL, Reply(failure="connect", sent=False), "transient"),
        (USUAL, Reply(failure="unsent", sent=False), "unsent"),
        (
            EXACT,
            reply(
                {"error": "unauthorized_client", "error_description": "Old refresh token used"}, 400
            ),
            "revoked",
        ),
        (ODD, reply({"access_token": {"code": "x"}}, 400), "transient"),
        (COUNTING, reply({"access_token": SECRET, "ttl": 5, "ends": 9}), "refreshed"),
        (PROLONGING, reply({"message": "OK"}), "refreshed"),
        (PROLONGING, reply({"message": "OK", "expires_in": 9}), "refreshed"),
        (SPEAKING, reply(b"", 401), "revoked"),
        (SPEAKING, reply({"error": "invalid_grant"}, 500), "revoked"),
        (SPEAKING, reply({"error": "oops"}, 500), "transient"),
        (SPEAKING, reply({"errors": [{"code": "oops"}]}, 400), "transient"),
    ],
)
@pytest.mark.parametrize("known", [{}, {"attempt": 2, "unknown_outcomes": 1, "doubted": True}])
def test_what_was_recorded_decides_the_same_again(
    entry: Any, answer: Reply, kind: str, known: dict[str, Any]
) -> None:
    """Whatever came back: the record makes today's rules decide as they did, and holds no token."""
    event = recorded(entry, answer, last_lifetime_seconds=HOUR, **known)
    assert event.kind == kind
    assert SECRET not in str(event.recorded)
    result = replay(event, entry, "acme", Policy())
    assert result.compared
    assert [c for c in result.compared if c.differs] == []
    assert not result.differs


def test_a_code_where_a_token_stood_is_read_as_far_as_it_can_be() -> None:
    """An error path that leads through a token in the record breaks nothing."""
    event = recorded(ODD, reply({"access_token": "t", "expires_in": 9}))
    facts = {**(event.recorded or {}), "error": "x: y"}
    assert replay(replace(event, recorded=facts), ODD, "acme", Policy()).compared


@pytest.mark.parametrize(
    ("path", "into", "made"),
    [
        ((), None, "v"),
        ((), "there", "there"),
        (("a", 1), None, {"a": [None, "v"]}),
        (("a", 0), {"a": {"b": 1}}, {"a": {"b": 1}}),
        (("a", "b"), {"a": [1]}, {"a": [1]}),
        ((-1,), None, ["v"]),
    ],
)
def test_what_is_put_back_displaces_nothing(path: Path, into: object, made: object) -> None:
    """A recorded code goes where the catalogue says, unless something else stands there."""
    assert placed(path, "v", into) == made


def test_a_changed_rule_shows() -> None:
    """A code that the catalogue calls dead today is told as another outcome."""
    event = recorded(USUAL, reply({"error": "gone"}, 400))
    today = provider(dead_grant_errors=frozenset({"gone"}))
    result = replay(event, today, "acme", Policy())
    assert result.differs
    assert (result.compared[0].recorded, result.compared[0].today) == ("transient", "revoked")


@pytest.mark.parametrize("kind", ["fenced", "adopted"])
def test_what_was_overtaken_is_compared_with_what_was_decided(kind: str) -> None:
    """The outcome is compared, and a note says that it was not written."""
    event = recorded(USUAL, reply({**PAIR, "expires_in": 3600}))
    overtaken = replace(
        event, kind=kind, recorded={**(event.recorded or {}), "decided": "refreshed"}
    )
    result = replay(overtaken, USUAL, "acme", Policy())
    assert not result.differs
    assert kind in (result.note or "")
    assert [s.name for s in steps(replace(overtaken, begun_at=NOW, elapsed_seconds=1))][-1] == kind


@pytest.mark.parametrize(
    ("stored", "expired", "reason"),
    [
        ({"paused": True}, False, ParkReason.PAUSED),
        ({"disabled": True}, False, ParkReason.DISABLED),
        ({"deleted": True}, False, ParkReason.DELETED),
        ({"in_between_steps": True}, False, ParkReason.MID_OAUTH),
        ({"status": Status.RECONNECT_REQUIRED}, False, ParkReason.RECONNECT_REQUIRED),
        ({"app": None}, False, ParkReason.APP_NOT_CONFIGURED),
        ({"refresh_token": None, "access_token": None}, True, ParkReason.NOTHING_TO_REFRESH_WITH),
        ({"expires_at": None}, False, ParkReason.NO_EXPIRY),
    ],
)
def test_a_skip_is_judged_again(stored: dict[str, Any], expired: bool, reason: ParkReason) -> None:
    """The guard says the same to the same connection."""
    facts = of_guard(connection(**stored), expired=expired)
    event = PastEvent(1, ID, NOW, "parked", parked_reason=reason, recorded=facts)
    assert not replay(event, USUAL, "acme", Policy()).differs


def test_a_guard_that_would_let_it_pass_today_shows() -> None:
    """A skip of an expired token differs when the setting does not ask for it any more."""
    facts = of_guard(connection(), expired=True)
    event = PastEvent(1, ID, NOW, "parked", parked_reason="reconnect_required", recorded=facts)
    assert replay(event, USUAL, "acme", Policy()).compared[0].today == "proceed"
    assert not replay(event, USUAL, "acme", Policy(expired_tokens="stop")).differs


def test_a_postponement_is_computed_again() -> None:
    """The end of the pause and the row's own spread give the same due time."""
    due = when.after_pause(30.0, when.stable_spread(ID, 5))
    event = PastEvent(
        *(1, ID, NOW, "postponed"),
        lease_token=5,
        state=0,
        next_due_at=NOW + timedelta(seconds=due),
        recorded={"pause_left": 30.0},
    )
    assert not replay(event, USUAL, "acme", Policy()).differs


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (PastEvent(1, ID, NOW, "swept"), "without an outcome"),
        (PastEvent(1, ID, NOW, "parked", reason="undecryptable"), "parked by trying"),
        (PastEvent(1, ID, NOW, "imported"), "nothing was recorded"),
    ],
)
def test_where_nothing_was_recorded_a_note_says_why(event: PastEvent, says: str) -> None:
    """No sum is made up."""
    result = replay(event, USUAL, "acme", Policy())
    assert result.compared == ()
    assert says in (result.note or "")


def test_a_provider_that_is_gone_is_told() -> None:
    """Without its entry the guard would park the row today."""
    event = recorded(USUAL, reply(status=503))
    result = replay(event, None, "acme", Policy())
    assert result.differs
    assert "the catalogue lacks acme" in (result.note or "")
