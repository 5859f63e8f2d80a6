"""What a callback comes to, in the order of C14: who is told nothing, and what is sent once."""

import pytest

from refresher.rules.callbacks import Callback, read_callback, refusal
from refresher.rules.connect import (
    Problem,
    State,
    Trouble,
    cookie_name,
    hashed,
    shown,
)
from refresher.rules.connect_steps import (
    Exchange,
    Known,
    Right,
    ShowPage,
    ShowResult,
    Spend,
    arrived,
)
from refresher.rules.connection import Secret
from tests.rules.sessions import ATTEMPT, CODE, COOKIES, NOW, PAST, REVOKED, known


def problem(found: object) -> object:
    """Returns what a step says in one word."""
    if isinstance(found, Spend):
        return found.trouble and found.trouble.code
    return found.problem if isinstance(found, ShowPage) else type(found)


STRANGERS = [
    (None, "acme", COOKIES, Problem.BAD_CALLBACK),
    (known(), "other", COOKIES, Problem.WRONG_ISSUER),
    (known(), "acme", {}, Problem.OTHER_BROWSER),
    (known(), "acme", {next(iter(COOKIES)): "another"}, Problem.OTHER_BROWSER),
    (known(attempt={"spent_at": NOW}), "acme", {}, Problem.OTHER_BROWSER),
    (known(attempt={"expires_at": PAST}), "acme", {}, Problem.OTHER_BROWSER),
    (known(REVOKED, state=State.ENDED), "acme", {"rfc-00000000": "x"}, Problem.OTHER_BROWSER),
]


@pytest.mark.parametrize(("state", "slug", "cookies", "page"), STRANGERS)
@pytest.mark.parametrize("callback", [CODE, Callback("state", error="access_denied"), Callback()])
def test_a_stranger_is_told_nothing(
    state: Known | None, slug: str, cookies: dict[str, str], page: Problem, callback: Callback
) -> None:
    """State, path and cookie come first (C14): nothing is spent without all three (T1, T2, T4)."""
    assert arrived(callback, slug, state, cookies, secure=True) == ShowPage(page)


@pytest.mark.parametrize(
    ("state", "callback", "step"),
    [
        (known(), CODE, Exchange),
        (known(attempt={"spent_at": PAST}), CODE, ShowResult),
        (known(attempt={"spent_at": PAST, "expires_at": PAST}), CODE, ShowResult),
        (known(attempt={"spent_at": PAST}, state=State.ENDED), CODE, ShowResult),
        (known(attempt={"expires_at": NOW}), CODE, Problem.EXPIRED),
        (known(expires_at=PAST), CODE, Exchange),  # begun in time: T11
        (known(state=State.EXCHANGING), CODE, None),
        (known(state=State.HELD), CODE, None),
        (known(state=State.ENDED), CODE, None),
        (known(REVOKED), CODE, Problem.RIGHT_ENDED),
        (known(Right(provider_fault="gone")), CODE, Problem.APP_WRONG),
        (known(), Callback("state", fault="code came 2 times"), Problem.BAD_CALLBACK),
        (known(), Callback("state"), Problem.BAD_CALLBACK),
        (known(), Callback("state", error="access_denied"), Problem.DENIED),
        (known(), Callback("state", Secret("c"), iss="https://acme.example"), Exchange),
        (known(), Callback("state", Secret("c"), iss="https://evil.example"), Problem.WRONG_ISSUER),
        (known(), Callback("state", Secret("c"), iss=""), Problem.WRONG_ISSUER),
        (known(), Callback("state", error="x", iss="https://acme.example/"), Problem.WRONG_ISSUER),
        (
            known(attempt={"issuer": None}),
            Callback("state", Secret("c"), iss="https://a"),
            Exchange,
        ),
        (known(announces_iss=True), CODE, Problem.WRONG_ISSUER),
        (known(announces_iss=True), Callback("state", error="x"), Problem.WRONG_ISSUER),
        (
            known(announces_iss=True),
            Callback("state", Secret("c"), iss="https://acme.example"),
            Exchange,
        ),
    ],
)
def test_a_callback_of_its_browser(state: Known, callback: Callback, step: object) -> None:
    """In the order of C14; another issuer's words are not shown (C12)."""
    found = arrived(callback, "acme", state, COOKIES, secure=True)
    assert problem(found) == step
    if isinstance(found, Spend):
        ends = found.trouble is not None and found.trouble.code is Problem.RIGHT_ENDED
        assert found.ends == ends
        assert found.trouble is None or "evil" not in found.trouble.sentence


def test_a_loopback_has_its_own_cookie() -> None:
    """Without https neither prefix nor Secure."""
    name = cookie_name(ATTEMPT.state_hash, secure=False)
    assert name == "rfc-" + hashed("state")[:4].hex()
    found = arrived(CODE, "acme", known(), {name: "cookie"}, secure=False)
    assert isinstance(found, Exchange)
    assert isinstance(arrived(CODE, "acme", known(), COOKIES, secure=False), ShowPage)


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("state", "s"), ("code", "c")], Callback("s", Secret("c"))),
        ([("state", "s"), ("code", "c"), ("x", "1"), ("x", "2")], Callback("s", Secret("c"))),
        ([("code", "c")], Callback(None, Secret("c"))),
        ([("state", ""), ("code", "")], Callback()),
        ([("state", "s"), ("iss", "")], Callback("s", iss="")),
        (
            [("state", "s"), ("error", "e"), ("error_description", "d")],
            Callback("s", error="e", description="d"),
        ),
        (
            [("state", "s"), ("error", "e"), ("error_reason", "user_denied")],
            Callback("s", error="e", description="user_denied"),
        ),
        ([("state", "s"), ("state", "s")], Callback(None, fault="state came 2 times")),
        ([("state", "s"), ("code", "a"), ("code", "b")], Callback("s", fault="code came 2 times")),
        ([("state", "s"), ("iss", "a"), ("iss", "a")], Callback("s", fault="iss came 2 times")),
        (
            [("state", "s"), ("error", "a"), ("error", "a")],
            Callback("s", fault="error came 2 times"),
        ),
        (
            [("state", "s"), ("code", "c" * 4_096)],
            Callback("s", fault="it has more than 4,096 characters"),
        ),
    ],
)
def test_a_callback_is_read(pairs: list[tuple[str, str]], expected: Callback) -> None:
    """What comes twice is a refusal, and so is too much (C13)."""
    assert read_callback(pairs) == expected


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", Problem.DENIED),
        ("user_cancelled_login", Problem.DENIED),
        ("server_error", Problem.PROVIDER_TROUBLE),
        ("temporarily_unavailable", Problem.PROVIDER_TROUBLE),
        ("invalid_scope", Problem.APP_WRONG),
        ("unauthorized_client", Problem.APP_WRONG),
        ("interaction_required", Problem.CONSENT_NEEDED),
        ("login_required", Problem.CONSENT_NEEDED),
        ("flux_capacitor_empty", Problem.PROVIDER_TROUBLE),
    ],
)
def test_an_error_has_its_page(error: str, code: Problem) -> None:
    """An unknown one is trouble, and is named (T12)."""
    assert refusal(error, None) == Trouble(code, error)


def test_words_of_a_provider_are_cut_and_plain() -> None:
    """3 kB of HTML with marks of direction stay one short line."""
    long = refusal("x\n" * 99, "<b>\u202e" + "y" * 3_000).sentence
    assert len(long) <= 80 + 2 + 200
    assert long.isprintable()
    assert long.startswith("x x")
    assert shown(" a\tb\u2066 ") == "a b"
