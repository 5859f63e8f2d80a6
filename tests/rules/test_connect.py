"""A consent, step by step: who may start, what a callback comes to, what does not go on by itself."""

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.connect import (
    MOST_ATTEMPTS,
    Finish,
    Outcome,
    Problem,
    State,
    Trouble,
    hashed,
    is_challenge,
    is_of,
    masked,
)
from refresher.rules.connect_steps import (
    Right,
    SendCode,
    overtaken,
    startable,
    unconfirmed,
)
from refresher.rules.connection import Sealed, Secret
from tests.rules.sessions import ATTEMPT, CHALLENGE, NOW, REVOKED, SESSION, SOON, VERIFIER, session


@pytest.mark.parametrize(
    ("right", "code", "said"),
    [
        (Right(), None, ""),
        (REVOKED, Problem.RIGHT_ENDED, "API key"),
        (Right(connection_gone=True), Problem.RIGHT_ENDED, "deleted"),
        (Right(connection_disabled=True), Problem.RIGHT_ENDED, "disabled"),
        (Right(return_url_fault="is none"), Problem.RIGHT_ENDED, "return_url is none"),
        (Right(provider_fault="it is gone"), Problem.APP_WRONG, "it is gone"),
    ],
)
def test_a_session_dies_with_its_right(right: Right, code: Problem | None, said: str) -> None:
    """Key, connection, return URL; and an entry that cannot connect any more."""
    trouble = right.trouble
    assert (trouble and trouble.code) == code
    assert trouble is None or said in trouble.sentence


@pytest.mark.parametrize(
    ("given", "right", "code"),
    [
        ({}, Right(), None),
        ({"attempts": MOST_ATTEMPTS - 1}, Right(), None),
        ({"attempts": MOST_ATTEMPTS}, Right(), Problem.TOO_MANY_ATTEMPTS),
        ({"expires_at": NOW}, Right(), Problem.EXPIRED),
        ({"state": State.ENDED}, REVOKED, Problem.EXPIRED),
        ({"state": State.EXCHANGING}, Right(), Problem.EXPIRED),
        ({"state": State.HELD}, Right(), Problem.EXPIRED),
        ({}, REVOKED, Problem.RIGHT_ENDED),
    ],
)
def test_an_attempt_begins(given: dict[str, Any], right: Right, code: Problem | None) -> None:
    """Ten times, while the session is open, its time is not over, and its right alive."""
    trouble = startable(session(**given), right, NOW)
    assert (trouble and trouble.code) == code


@pytest.mark.parametrize(
    ("given", "right", "expected"),
    [
        ({}, Right(), None),
        ({"state": State.EXCHANGING, "exchange_until": SOON}, REVOKED, None),
        (
            {"state": State.EXCHANGING, "exchange_until": NOW},
            Right(),
            (Problem.OUTCOME_UNKNOWN, None),
        ),
        ({"state": State.HELD, "held_until": SOON}, REVOKED, None),
        ({"state": State.HELD, "held_until": NOW}, Right(), (Problem.PROVIDER_TROUBLE, None)),
        (
            {"state": State.HELD, "held_until": NOW, "finish": Finish.APPLICATION, "ready_at": NOW},
            Right(),
            (Problem.NOT_CONFIRMED, None),
        ),
        ({"state": State.ENDED}, REVOKED, None),
        ({}, REVOKED, (Problem.RIGHT_ENDED, Outcome.CANCELLED)),
        ({}, Right(provider_fault="gone"), None),
        ({"expires_at": NOW}, Right(), (Problem.EXPIRED, Outcome.EXPIRED)),
        (
            {"expires_at": NOW, "trouble": Trouble(Problem.DENIED, "no")},
            Right(),
            (Problem.DENIED, Outcome.EXPIRED),
        ),
    ],
)
def test_what_does_not_go_on(
    given: dict[str, Any], right: Right, expected: tuple[Problem, Outcome | None] | None
) -> None:
    """A code without an answer, an answer without an end, a link whose time or right is over."""
    found = overtaken(session(**given), right, NOW)
    assert (found and (found[0].code, found[1])) == expected


WAITING = {
    "finish": Finish.APPLICATION,
    "finish_challenge": CHALLENGE,
    "state": State.HELD,
    "ready_at": NOW,
    "finish_code_hash": hashed("code"),
    "finish_code_until": SOON,
}


@pytest.mark.parametrize(
    ("given", "code", "verifier", "said"),
    [
        ({}, "code", VERIFIER, None),
        ({"finish": Finish.PAGE}, "code", VERIFIER, "finish"),
        ({"finish_challenge": None}, "code", VERIFIER, "finish"),
        ({"state": State.OPEN}, "code", VERIFIER, "open"),
        ({"state": State.ENDED}, "code", VERIFIER, "ended"),
        ({"ready_at": None}, "code", VERIFIER, "held"),
        ({"confirmed_at": NOW}, "code", VERIFIER, "already"),
        ({"finish_code_until": NOW}, "code", VERIFIER, "expired"),
        ({"finish_code_hash": None}, "code", VERIFIER, "given last"),
        ({}, "kode", VERIFIER, "given last"),
        ({}, "code", VERIFIER[:-1] + "l", "verifier"),
        ({}, "code", "ä", "verifier"),
    ],
)
def test_the_application_has_the_last_word(
    given: dict[str, Any], code: str, verifier: str, said: str | None
) -> None:
    """With the code of the browser and the verifier of its own session, once (C9, T6)."""
    why = unconfirmed(session(**{**WAITING, **given}), code, verifier, NOW)
    assert why is None if said is None else said in (why or "")


def test_small_questions() -> None:
    """Hashes, challenges, masks; and nothing that opens anything is in a `repr`."""
    assert is_of("a", hashed("a"))
    assert not is_of("a", hashed("b"))
    assert not is_of("a", None)
    assert is_challenge(VERIFIER, CHALLENGE)
    assert masked("ann@acme.example") == "a•••@acme.example"
    assert masked("Ann Smith") == "A•••"
    secret = replace(SESSION, held=Sealed(b"held"), finish_code_hash=b"finish")
    sent = SendCode(secret, ATTEMPT, Secret("code"), (("code", "code-1"),))
    assert sent.session_id == SESSION.id
    for hidden in ("code-1", repr(SESSION.link_hash), repr(ATTEMPT.cookie_hash), "b'held'"):
        assert hidden not in repr(sent)


def test_a_link_is_used_in_the_name_of_its_maker() -> None:
    """The key's id, or who made it on the command line."""
    assert session().maker == "cli:ann"
    assert session(key_id="k", made_by="by API key k").maker == "k"
