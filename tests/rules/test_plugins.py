"""What a plug-in may make of a request and of an answer, and what is refused of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from refresher.rules.connection import Reply
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.plugins import PluginFailed, Wanted, ask, translated
from refresher.rules.providers import Provider
from refresher.testing.strategies import given_for

WRONG: Any = Wanted  # what nobody's type checker has seen
GIVEN = given_for(Provider("acme", "https://acme.example/token"))


class Stub:
    """A plug-in of two functions."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work

    def request(self, _given: object) -> Any:
        """Does as it is told."""
        return self._work()

    def answer(self, _status: int, _headers: object, _body: bytes) -> Any:
        """Does as it is told."""
        return self._work()


def raising(error: BaseException) -> Callable[[], Any]:
    """Returns work that raises."""

    def work() -> Any:
        raise error

    return work


def test_a_request_is_taken_as_it_is() -> None:
    """Byte by byte."""
    wanted = Wanted(b"x", {"A": "b"}, {"q": "1"}, "PUT")
    assert ask("x", Stub(lambda: wanted), GIVEN) is wanted
    assert ask("x", Stub(Wanted), GIVEN) == Wanted()


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (raising(KeyError("a-refresh-token")), 'the plug-in "x" raised KeyError in work, line'),
        (raising(SystemExit(1)), 'the plug-in "x" raised SystemExit in work, line'),
        (raising(UnbuildableRequest("no shop")), 'the plug-in "x" makes no request: no shop'),
        (dict, 'the plug-in "x" returned dict instead of Wanted'),
        (lambda: WRONG(method="DELETE"), "can be sent: its method is none of GET, POST, PUT"),
        (lambda: WRONG(body="text"), "can be sent: its body is not bytes"),
        (lambda: Wanted(headers={"A": "b\r\nC: d"}), "its headers have names or values that are"),
        (lambda: WRONG(query={"a": 1}), "its query have names or values that are not one line"),
        (lambda: WRONG(headers=[("a", "b")]), "its headers have names or values that are not"),
    ],
)
def test_what_is_no_request_names_the_plug_in(work: Callable[[], Any], sentence: str) -> None:
    """And never what it was given."""
    with pytest.raises(UnbuildableRequest) as refused:
        ask("x", Stub(work), GIVEN)
    assert sentence in str(refused.value)
    assert "a-refresh-token" not in str(refused.value)


def test_an_answer_is_put_in_the_standards_names() -> None:
    """What tells of a pause stays."""
    reply = Reply(429, {"Retry-After": "7", "content-type": "text/x"}, b"raw", elapsed_seconds=2.0)
    read = translated("x", Stub(lambda: {"error": "slow"}), reply)
    assert read.headers == {"Retry-After": "7", "content-type": "application/json"}
    assert (read.status, read.body, read.elapsed_seconds) == (429, b'{"error": "slow"}', 2.0)


@pytest.mark.parametrize("reply", [Reply(failure="timeout"), Reply(200, {}, b"{", "protocol")])
def test_what_is_no_whole_answer_is_read_as_it_is(reply: Reply) -> None:
    """A plug-in sees whole ones only."""
    assert translated("x", Stub(raising(ValueError())), reply) is reply
    whole = Reply(200, {}, b"{}")
    assert translated("x", Stub(lambda: None), whole) is whole


@pytest.mark.parametrize(
    "work", [raising(ValueError("a-refresh-token")), lambda: 3, lambda: {"a": object()}]
)
def test_an_answer_that_it_cannot_read_names_the_plug_in(work: Callable[[], Any]) -> None:
    """Without the words of its error."""
    with pytest.raises(PluginFailed, match='the plug-in "x" raised') as failed:
        translated("x", Stub(work), Reply(200, {}, b"{}"))
    assert "a-refresh-token" not in str(failed.value)
