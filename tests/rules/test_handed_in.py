"""What an application hands over: an error, an answer as it came, words for nothing."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.errors import InvalidConnection
from refresher.rules.connection import Secret, is_no_token
from refresher.rules.handed_error import refuse_error, said
from refresher.rules.registration import NewConnection, answered, read
from tests.rules.samples import EPOCH, NAMED, provider


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "invalid_grant"}, "no tokens: invalid_grant; nothing"),
        (
            {"error": "invalid_grant", "error_description": "Token has been expired\nor revoked."},
            "invalid_grant (Token has been expired or revoked.)",
        ),
        ({"error": "invalid_grant", "access_token": None}, "invalid_grant"),
        ({"error": "invalid_grant", "access_token": "null"}, "invalid_grant"),
        ({"error": "invalid_grant", "refresh_token": "r"}, "invalid_grant"),
        ({"ok": False, "error": "invalid_code"}, "invalid_code"),
        (
            {"error": {"message": "Error validating", "type": "OAuthException", "code": 190}},
            "190 (Error validating)",
        ),
        ({"error": {"status": "UNAUTHENTICATED"}}, "UNAUTHENTICATED"),
        (
            {"error": {}, "errors": [{"errorType": "expired_token", "message": "x"}]},
            "expired_token",
        ),
        ({"errors": ["bad"]}, "bad"),
        ({"error": {"odd": 1}}, "unnamed"),
        ({"error": True, "message": "no luck"}, "error (no luck)"),
        ({"error": 401}, "401"),
    ],
)
def test_an_error_is_refused_with_the_provider_s_words(answer: dict[str, Any], told: str) -> None:
    """An application that did not look at the status hears what the provider said."""
    with pytest.raises(InvalidConnection) as caught:
        refuse_error(answer)
    assert told in str(caught.value)
    with pytest.raises(InvalidConnection, match="this is an error of the provider"):
        read({**NAMED, **answer})


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"error": None},
        {"error": ""},
        {"error": {}, "errors": []},
        {"error": "a warning", "access_token": "a"},
        {"error": {"code": "ok"}, "data": {"access_token": "a"}},
        {"error": {"code": "ok"}, "data": [{"accessToken": "a"}]},
        {"expires_in": 3600},
    ],
)
def test_what_tells_no_error_or_has_a_token_is_none(answer: dict[str, Any]) -> None:
    """Some providers send an `error` that says "ok", or a warning beside the tokens."""
    refuse_error(answer)


def test_an_answer_nested_without_end_has_no_token() -> None:
    """The look for a token goes six levels deep, however deep an answer is."""
    deep: Any = {"access_token": "a"}
    for _ in range(10):
        deep = {"data": [deep]}
    with pytest.raises(InvalidConnection):
        refuse_error({"error": "invalid_grant", **deep})


def test_the_provider_s_words_are_masked_and_short() -> None:
    """An error that repeats the token that was sent does not show it."""
    token = "Zk81xT0pQ7rW2yB4nL6v"
    assert said(f"refresh token {token} is spent") == "refresh token *** is spent"
    assert said("1//0gLongGoogleRefreshToken-abc") == "***"
    assert said("a" * 30) == "a" * 30
    assert len(said("word " * 1_000)) <= 200


@pytest.mark.parametrize(
    ("facts", "answer", "access", "refresh", "seconds"),
    [
        ({}, {"access_token": "a"}, "a", None, None),
        ({}, {"access_token": "a", "expires_in": "60"}, "a", None, 60.0),
        ({}, {"access_token": "a", "expires_at": EPOCH + 90}, "a", None, 90.0),
        ({}, {"access_token": "a", "refresh_token": "null"}, "a", None, None),
        ({}, {"refresh_token": "r"}, None, "r", None),
        ({}, {"expires_in": 60}, None, None, None),
        (
            {"response_path": ("data",)},
            {"code": 0, "data": {"access_token": "a", "refresh_token": "r", "expires_in": 5}},
            "a",
            "r",
            5.0,
        ),
    ],
)
def test_an_answer_is_read_as_on_the_wire(
    facts: dict[str, Any],
    answer: dict[str, Any],
    access: str | None,
    refresh: str | None,
    seconds: float | None,
) -> None:
    """Nested tokens, instants and words for nothing mean the same as in the answer to a refresh."""
    made = answered(read({**NAMED, "answer": answer}), provider(**facts), EPOCH)
    assert made.access_token == (Secret(access) if access else None)
    assert made.refresh_token == (Secret(refresh) if refresh else None)
    assert made.expires_in_seconds == seconds
    assert made.answer is None


def test_granted_scopes_and_kept_fields_come_with_an_answer() -> None:
    """What was granted is not what was asked for; Keycloak's life of 0 is no end."""
    answer = {
        "access_token": "a",
        "refresh_token": "r",
        "refresh_expires_in": 0,
        "scope": "read",
        "instance_url": "https://acme.example",
    }
    line = {**NAMED, "scopes": ["read", "write"], "answer": answer}
    made = answered(read(line), provider(keep_fields=("instance_url",)), EPOCH)
    assert (made.scopes, made.granted_scopes) == (("read", "write"), ("read",))
    assert made.kept == {"instance_url": "https://acme.example"}
    assert made.refresh_token_expires_in_seconds is None
    told = {**NAMED, "access_token": "a", "granted_scopes": "read"}
    assert answered(read(told), provider(), EPOCH) == read(told)
    assert read(told).granted_scopes == ("read",)


@pytest.mark.parametrize(
    ("facts", "answer", "words"),
    [
        ({"error_path": ("code",)}, {"code": 10010, "message": "Auth code is used"}, "10010 (Auth"),
        ({}, {"ok": False}, "no success"),
        ({}, {"success": False, "message": "denied"}, "no success (denied)"),
    ],
)
def test_an_error_in_the_provider_s_own_way_is_refused(
    facts: dict[str, Any], answer: dict[str, Any], words: str
) -> None:
    """Where the entry knows how its errors look, those are refused as well."""
    with pytest.raises(InvalidConnection) as caught:
        answered(read({**NAMED, "answer": answer}), provider(**facts), EPOCH)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"answer": {"access_token": "a"}, "access_token": "b"},
            "give answer or access_token, not both: answer is the provider's whole token answer",
        ),
        (
            {"answer": {"access_token": "a"}, "expires_at": "2030-01-01T00:00:00Z"},
            "give answer or expires_at, not both: answer is the provider's whole token answer",
        ),
        ({"answer": "a"}, "answer must be the token endpoint's answer, as a JSON object"),
        ({"answer": {"a": "x" * 300_000}}, "answer is longer than 262,144 bytes"),
        (
            {"token_type": "Bearer"},
            'there is no field "token_type"; a provider\'s whole answer goes into `answer`',
        ),
        (
            {"scope": "a"},
            (
                'there is no field "scope" (did you mean "scopes"?); a provider\'s whole answer goes '
                "into `answer`"
            ),
        ),
        ({"acess_token": "a"}, 'there is no field "acess_token" (did you mean "access_token"?)'),
        (
            {"placeholders": {"tenant": 7}},
            'placeholders must be an object of texts, such as {"tenant": "acme"}',
        ),
        (
            {"placeholders": {"tenant": "x" * 300}},
            "placeholders has more than 20 values, or one of more than 253 characters",
        ),
        (
            {"granted_scopes": 7},
            "granted_scopes must be a list of texts, or one text with spaces between",
        ),
        (
            {"root_external_id": "1", "answer": {"access_token": "a"}},
            (
                "a connection with root_external_id shares its root's tokens: leave out "
                "access_token and refresh_token"
            ),
        ),
    ],
)
def test_each_mistake_with_an_answer_has_its_sentence(
    fields: dict[str, Any], sentence: str
) -> None:
    """Each names the member and what to do."""
    with pytest.raises(InvalidConnection) as caught:
        read({**NAMED, **fields})
    assert str(caught.value) == sentence


def test_an_answer_that_is_too_deep_is_refused() -> None:
    """No nesting ends a process."""
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    with pytest.raises(InvalidConnection, match="answer is nested more than 100 levels deep"):
        read({**NAMED, "answer": deep})


def test_neither_answer_nor_kept_fields_show_in_a_repr() -> None:
    """What is handed over in the clear is not printed by accident."""
    made = read({**NAMED, "answer": {"access_token": "canary", "id_token": "canary"}})
    kept = NewConnection("o", "p", "e", None, None, kept={"id_token": "canary"})
    assert "canary" not in repr(made) + repr(kept)


@pytest.mark.parametrize(
    ("text", "nothing"),
    [
        *((word, True) for word in ("", " ", "\t\n", "null", " NULL ", "undefined", "None", "nil")),
        *((word, True) for word in ("false", "NaN", "(null)", "[object Object]", '""')),
        *((word, False) for word in ("0", "nullable", "none-of-your-business", "nil" * 20, "a")),
    ],
)
def test_words_for_nothing_are_no_tokens(text: str, nothing: bool) -> None:
    """A program that made a text of nothing has no token; a token may contain such a word."""
    assert is_no_token(text) is nothing
