"""What `register` makes of an answer, an error, and of nothing; in both modes."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.client import InvalidConnection, Refresher
from refresher.client.handing_in import as_given
from tests.client.conftest import Place


def names(place: Place) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the three names of a new account, and the answer of its dance."""
    fields = place.fields()
    answer = {name: fields.pop(name) for name in ("access_token", "refresh_token", "expires_in")}
    return fields, answer


def test_an_error_is_raised_before_anything_is_sent() -> None:
    """An application that did not look at the status hears the provider's words."""
    with pytest.raises(InvalidConnection, match=r"no tokens: invalid_grant \(Bad code\)"):
        as_given({"error": "invalid_grant", "error_description": "Bad code"}, {})
    with pytest.raises(InvalidConnection, match=r"as a mapping: response\.json\(\)"):
        as_given("access_token=a", {})  # type: ignore[arg-type]


def test_an_error_changes_nothing(refresher: Refresher, place: Place) -> None:
    """The connection is as it was, its dead or good token too."""
    fields, answer = names(place)
    made = refresher.register(answer, **fields)
    with pytest.raises(InvalidConnection, match="invalid_grant"):
        refresher.register({"error": "invalid_grant"}, **fields)
    assert refresher.get(made.id) == made
    assert len(list(refresher.events(made.id))) == 1


def test_without_tokens_it_is_an_update(refresher: Refresher, place: Place) -> None:
    """The end, the version and the scopes stay; a new connection is refused."""
    fields, answer = names(place)
    made = refresher.register(answer, **fields, scopes=["read", "write"])
    for nothing in (None, {}, {"access_token": ""}, {"access_token": "null", "expires_in": 9}):
        after = refresher.register(nothing, **fields, name="Cyd")
        assert (after.expires_at, after.credential_version) == (made.expires_at, 1)
        assert (after.name, after.scopes) == ("Cyd", ("read", "write"))
    with pytest.raises(InvalidConnection, match="no token came"):
        refresher.register(**{**fields, "external_id": "nobody"})


def test_asked_and_granted_scopes_are_told_apart(refresher: Refresher, place: Place) -> None:
    """`scopes=` is what was asked for, the answer's `scope` what was granted."""
    fields, answer = names(place)
    made = refresher.register(
        {**answer, "scope": "read"}, **fields, scopes=["read", "write", "offline_access"]
    )
    assert made.scopes == ("read", "write", "offline_access")
    assert (made.granted_scopes, made.missing_scopes) == (("read",), ("write",))
    assert refresher.token(made.id).scopes == ("read",)


def test_resuming_what_waits_for_nothing_says_so(refresher: Refresher, place: Place) -> None:
    """Nothing is done, and `note` tells it."""
    fields, answer = names(place)
    made = refresher.register(answer, **fields)
    assert refresher.resume(made.id).note == "nothing to resume: it is active"
    refresher.pause(made.id)
    assert refresher.resume(made.id).note is None


def test_an_answer_goes_in_whole_or_taken_apart() -> None:
    """Who names a token or a life takes the answer apart; an answer becomes plain JSON."""
    answer = {"access_token": "a", "scope": {"x"}, "expires_in": 5, "id_token": "i"}
    whole = as_given(answer, {"name": "Ann"})
    assert whole == {"answer": {**answer, "scope": ["x"]}, "name": "Ann"}
    apart = as_given({**answer, "scope": "x"}, {"expires_at": "2040-01-01T00:00:00Z"})
    assert apart == {
        "access_token": "a",
        "granted_scopes": "x",
        "expires_at": "2040-01-01T00:00:00Z",
    }
