"""The values of `rules/connection.py`; above all, that a `Secret` stays one (M10)."""

import copy
import json
import pickle
from collections.abc import Callable
from uuid import UUID, uuid5

import orjson
import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Claim, Grant, Secret, connection_id
from refresher.rules.decision import NewLife
from refresher.rules.outcomes import Malformed, Refreshed
from tests.rules.samples import ID, connection

TEXT = "at-s3cr3t"
GRANT = Grant(Secret(TEXT), Secret(TEXT), 3600.0, None)


@pytest.mark.parametrize(
    "shown",
    [
        repr(Secret(TEXT)),
        str(Secret(TEXT)),
        f"{Secret(TEXT)} {Secret(TEXT)!r} {Secret(TEXT)!s} {Secret(TEXT)!a}",
        "%s %r" % (Secret(TEXT), Secret(TEXT)),  # noqa: UP031  logging formats this way
        repr([Secret(TEXT)]),
        repr({"token": Secret(TEXT)}),
        repr(ValueError(Secret(TEXT))),
        repr(GRANT),
        repr(Refreshed(GRANT)),
        repr(NewLife(GRANT, 1.0, 1.0, None)),
        repr(Malformed("no access token", 200, Secret(TEXT))),
        repr(ClientCredentials("client", Secret(TEXT))),
    ],
)
def test_a_secret_is_masked_wherever_it_is_shown(shown: str) -> None:
    """M10: no way of printing a value that holds a secret shows its text."""
    assert TEXT not in shown
    assert "***" in shown


def test_only_reveal_gives_the_text() -> None:
    """The text of a secret is had by that one word."""
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize("value", [Secret(TEXT), (Secret(TEXT),), GRANT], ids=type)
@pytest.mark.parametrize(
    "leave", [copy.deepcopy, pickle.dumps, json.dumps], ids=lambda f: f.__name__
)
def test_a_secret_does_not_leave_its_process(
    leave: Callable[[object], object], value: object
) -> None:
    """M10: copying, pickling or encoding a secret is refused, by an error that does not show it."""
    with pytest.raises(TypeError) as caught:
        leave(value)
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize("leave", [copy.copy, orjson.dumps])
def test_a_secret_itself_is_neither_copied_nor_encoded(leave: Callable[[object], object]) -> None:
    """M10: a shallow copy, or the encoder of our messages, is refused too."""
    with pytest.raises(TypeError) as caught:
        leave(Secret(TEXT))
    assert TEXT not in str(caught.value)


def test_a_secret_has_no_dictionary_to_look_into() -> None:
    """M10: what dumps the attributes of an object finds none."""
    with pytest.raises(TypeError):
        vars(Secret(TEXT))


def test_secrets_of_the_same_text_are_equal() -> None:
    """Equality and hash go by the text; a plain text is never equal to a secret."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize(("text", "there"), [("a", True), ("", False)])
def test_an_empty_secret_is_as_if_absent(text: str, there: bool) -> None:
    """A secret is true exactly when it has a text."""
    assert bool(Secret(text)) is there


def test_a_claim_is_named_by_both_its_parts() -> None:
    """The same connection under another lease token is another claim."""
    assert Claim(ID, 1) == Claim(ID, 1)
    assert Claim(ID, 1) != Claim(ID, 2)


def test_an_app_is_keyed_by_provider_and_name() -> None:
    """Two apps at one provider have pauses of their own."""
    assert connection(app_name="default").app_key == "acme/default"
    assert connection(app_name="second").app_key == "acme/second"


@pytest.mark.parametrize("name", ["1042", "", "ä\N{SNOWMAN}", "x" * 512])
def test_an_id_is_the_uuid5_of_its_names(name: str) -> None:
    """It is version 5 of RFC 9562, so that other programs can reckon it, and it never changes."""
    namespace = UUID("7b0d2a4e-5c0f-4c53-9f0e-0f6d1b7c9a11")
    assert connection_id(name, "acme", "7") == uuid5(namespace, f"{name}\x1facme\x1f7")
