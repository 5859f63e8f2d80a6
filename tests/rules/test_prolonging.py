"""A refresh that answers no token, and prolongs the one that is stored."""

from __future__ import annotations

import pytest

from refresher.rules.decision import decide
from refresher.rules.lives import ASK_AGAIN_MAX_SECONDS
from refresher.rules.outcomes import (
    Malformed,
    Outcome,
    Prolonged,
    Refreshed,
    Revoked,
    Transient,
    Unreadable,
    classify,
)
from refresher.rules.policy import Policy
from refresher.rules.providers import Rotation
from tests.rules.samples import DAY, EPOCH, HOUR, before, provider, reply

COROS = provider(
    prolongs=True,
    error_path=("result",),
    error_detail_path=("message",),
    success_without_error_codes=frozenset({"0000"}),
    access_token_lifetime_seconds=30 * DAY,
    keep_fields=("region",),
)
WELL = {"result": "0000", "message": "OK"}


def told(answer: object, status: int = 200, failure: str | None = None) -> Outcome:
    """Returns what an answer of COROS's means."""
    return classify(COROS, reply(answer, status, failure=failure), EPOCH)


@pytest.mark.parametrize(
    ("answer", "status", "kind"),
    [
        (WELL, 200, Prolonged),
        ({"expires_in": 60}, 200, Prolonged),
        (b"", 204, Prolonged),
        (b"", 200, Malformed),
        (b"<html>Please log in</html>", 200, Malformed),
        ({"access_token": "new", **WELL}, 200, Refreshed),
        ({"refresh_token": "new", **WELL}, 200, Malformed),
        ({"jwt": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", **WELL}, 200, Unreadable),
        ({"success": False}, 200, Malformed),
        ({"ok": False}, 200, Malformed),
        ({"result": "5001", "message": "no"}, 200, Transient),
        ({"result": "invalid_grant"}, 200, Revoked),
        (WELL, 500, Transient),
        (WELL, 404, Transient),
    ],
)
def test_a_success_without_a_token_and_without_an_error_prolongs(
    answer: object, status: int, kind: type[Outcome]
) -> None:
    """Neither a page nor silence does, nor what may be a grant that we cannot read."""
    assert isinstance(told(answer, status), kind)


def test_an_answer_that_broke_off_prolongs_nothing() -> None:
    """What is missing may be the token, or the error."""
    assert isinstance(told(WELL, failure="protocol"), Transient)


def test_elsewhere_such_an_answer_makes_no_sense() -> None:
    """Only the entry's word makes it a success."""
    assert isinstance(classify(provider(), reply({"message": "OK"}), EPOCH), Malformed)


@pytest.mark.parametrize(
    ("answer", "last", "life"),
    [
        (WELL, None, 30 * DAY),
        (WELL, HOUR, HOUR),
        ({**WELL, "expires_in": 60}, HOUR, 60.0),
    ],
)
def test_the_stored_token_lives_anew(
    answer: dict[str, object], last: float | None, life: float
) -> None:
    """As long as it is told, else as the last time, else as is documented; no token is replaced."""
    given = reply(answer)
    outcome = classify(COROS, given, EPOCH)
    known = before(attempt=2, unknown_outcomes=1, last_lifetime_seconds=last)
    decision = decide(outcome, given, known, COROS, Policy())
    assert (decision.event, decision.attempt, decision.unknown_outcomes) == ("refreshed", 0, 0)
    assert decision.reason == "the provider prolonged the stored token"
    assert decision.new_life is not None
    assert decision.new_life.left_seconds == life
    assert not decision.new_life.grant.access_token
    assert decision.new_life.grant.refresh_token is None
    assert not decision.new_life.forgets_end
    assert 0 < (decision.next_due_in_seconds or 0) < life


def test_the_refresh_token_s_end_slides_where_the_token_never_changes() -> None:
    """Its own end, where it is told; kept fields come with it, too."""
    given = reply({**WELL, "refresh_token_expires_in": 60, "region": "eu"})
    outcome = classify(COROS, given, EPOCH)
    assert isinstance(outcome, Prolonged)
    assert outcome.grant.kept == {"region": "eu"}
    assert outcome.grant.refresh_token_expires_in_seconds == 60.0
    plain = provider(
        prolongs=True, rotation=Rotation.NEVER, refresh_token_lifetime_seconds=90 * DAY
    )
    said = reply({"message": "OK"})
    life = decide(classify(plain, said, EPOCH), said, before(), plain, Policy()).new_life
    assert life is not None
    assert life.refresh_token_left_seconds == 90 * DAY


def test_a_life_that_is_over_is_asked_for_again_soon() -> None:
    """As with a token that had expired when it came."""
    given = reply({**WELL, "expires_in": 0})
    decision = decide(classify(COROS, given, EPOCH), given, before(), COROS, Policy())
    assert decision.new_life is not None
    assert decision.new_life.is_over
    assert (decision.next_due_in_seconds or 0) <= ASK_AGAIN_MAX_SECONDS
