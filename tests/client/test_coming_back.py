"""What becomes of a consent when the API is in trouble, or its answer was lost: told by stubs of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from refresher.client.connecting import ConnectProblem, ConnectStatus
from refresher.contrib.core import KEPT, MOST_KEPT, Connected, Refused, Whoever, begin, come_back
from refresher.contrib.driving import run
from refresher.errors import ApiUnavailable, ConnectRefused, RefresherError

ANN = Whoever("org", "ann")
SESSION, MADE = UUID(int=1), UUID(int=2)
QUERY = {"connect_session": str(SESSION), "connect_status": "confirm", "connect_code": "code"}
OPEN = ConnectStatus(SESSION, "open")
HELD = ConnectStatus(SESSION, "held")
DONE = ConnectStatus(SESSION, "ended", "connected", connection_id=MADE)
SCOPE = ConnectProblem("scope_missing", "a permission is missing")
FAILED = ConnectStatus(SESSION, "ended", "expired", SCOPE)
AWAY = ApiUnavailable("it cannot be reached")
REFUSED = ConnectRefused("not_confirmed", "the session is not confirmed")


class Api:
    """Answers each kind of call with the next of its answers."""

    def __init__(self, **answers: Any) -> None:
        self.answers, self.asked = answers, list[str]()

    def __getattr__(self, name: str) -> Any:
        def call(*_: object, **__: object) -> Any:
            self.asked.append(name)
            answer = self.answers[name].pop(0)
            if isinstance(answer, RefresherError):
                raise answer
            return answer

        return call


def back(session: dict[str, Any], answers: dict[str, Any], **more: str) -> Any:
    """What coming back leads to."""
    api: Any = Api(**{name: list(given) for name, given in answers.items()})
    return run(api, come_back(QUERY | more, ANN, session))


def begun() -> dict[str, Any]:
    """A session in which one consent is under way."""
    return {KEPT: {str(SESSION): ["verifier", "acme", "org", "ann"]}}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"connect_complete": [DONE]}, "connected"),
        ({"connect_complete": [HELD], "connect_wait": [DONE]}, "connected"),
        ({"connect_complete": [HELD], "connect_wait": [HELD]}, "failed"),
        ({"connect_complete": [FAILED]}, "failed"),
        ({"connect_complete": [REFUSED], "connect_status": [DONE]}, "connected"),
        ({"connect_complete": [REFUSED], "connect_status": [OPEN]}, "not_confirmed"),
        ({"connect_complete": [REFUSED], "connect_status": [AWAY]}, "trouble"),
        ({"connect_complete": [AWAY]}, "trouble"),
        ({"connect_complete": [HELD], "connect_wait": [AWAY]}, "trouble"),
    ],
)
def test_what_completing_leads_to(answers: dict[str, Any], expected: str) -> None:
    """A connection, also where its answer was lost; else a sentence, and it may be tried again."""
    session = begun()
    found = back(session, answers)
    code = "connected" if isinstance(found, Connected) else found.code
    assert code == expected
    assert (session[KEPT] == {}) is (code == "connected")


@pytest.mark.parametrize(
    ("status", "answer", "expected", "http"),
    [
        ("failed", FAILED, "failed", 200),
        ("cancelled", OPEN, "cancelled", 200),
        ("connected", OPEN, "failed", 200),
        ("failed", AWAY, "trouble", 503),
    ],
)
def test_an_ending_without_a_connection(status: str, answer: Any, expected: str, http: int) -> None:
    """Whatever the address claims: it is told why, and where to begin once more."""
    found = back(begun(), {"connect_status": [answer]}, connect_status=status)
    assert isinstance(found, Refused)
    assert (found.code, found.status, found.provider) == (expected, http, "acme")
    assert (found.problem == SCOPE) is (answer is FAILED)


@pytest.mark.parametrize("kept", [None, "x", {str(SESSION): ["older", "form"]}])
def test_a_session_that_holds_nothing_of_it(kept: Any) -> None:
    """Another browser, or what an older version left: nothing is asked, nothing is changed."""
    assert back({KEPT: kept}, {}).code == "elsewhere"


def test_a_session_keeps_the_last_few() -> None:
    """What is begun in many tabs does not outgrow a cookie; what cannot be begun is kept nowhere."""
    session: dict[str, Any] = {}
    for _ in range(MOST_KEPT + 2):
        start = type("Start", (), {"session_id": uuid4(), "verifier": "v" * 43, "url": "there"})
        steps = begin({"acme": {}}, "acme", ANN, session, "https://app.example/connected")
        assert run(Api(connect_url=[start]), steps) == "there"  # type: ignore[arg-type]
    assert len(session[KEPT]) == MOST_KEPT
    assert str(start.session_id) in session[KEPT]  # type: ignore[attr-defined]
    before = dict(session)
    steps = begin({"acme": {}}, "acme", ANN, session, "https://app.example/connected")
    found = run(Api(connect_url=[REFUSED]), steps)  # type: ignore[arg-type]
    assert isinstance(found, Refused)
    assert (found.status, session) == (503, before)
