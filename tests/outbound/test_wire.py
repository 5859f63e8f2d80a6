"""How a request is written: as the standard library would, and never into a log."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refresher.outbound.exchange import Exchange
from refresher.outbound.sender import SendLimits, form, write
from refresher.rules.providers import BodyForm
from tests.outbound.conftest import FORM, a_request, ask_all
from tests.outbound.test_exchange import Scripted, outgoing
from tests.waiting import wait_until

TEXTS = st.text(st.characters(codec="utf-8"))
HALF_A_PAIR = {"refresh_token": "half \ud800"}


@given(st.dictionaries(TEXTS, TEXTS))
def test_a_form_is_written_as_the_standard_library_does(parameters: dict[str, str]):
    """Whatever stands in it."""
    assert form(parameters) == urlencode(parameters)


@pytest.mark.parametrize(
    ("url", "before"),
    [
        ("https://a.example/t", []),
        ("https://a.example/t?", []),
        ("https://a.example/t?api=2", [("api", "2")]),
    ],
)
def test_a_query_goes_behind_what_the_url_has(url: str, before: list[tuple[str, str]]):
    """Nothing of the URL is lost, and there is no body."""
    wire = write(a_request(url, body=BodyForm.QUERY))

    assert parse_qsl(urlsplit(wire.url).query) == [*before, *FORM.items()]
    assert wire.content is None


@pytest.mark.parametrize("body", list(BodyForm))
def test_nothing_of_it_can_be_printed(body: BodyForm):
    """Neither the body nor a URL with the token in it."""
    wire = write(a_request("https://a.example/t", body=body))

    assert "spent" not in repr(wire)


@pytest.mark.parametrize("body", list(BodyForm))
def test_text_that_cannot_be_written_costs_nobody_else_anything(body: BodyForm):
    """Half a surrogate pair has no UTF-8: that request is not sent, the others are."""
    sender = Scripted()
    exchange = Exchange(SendLimits(), sender)
    odd = a_request("odd", body=body, parameters=HALF_A_PAIR)

    replies = ask_all(exchange, [a_request("first"), odd, a_request("last")])
    exchange.close()

    assert [reply.failure for reply in replies] == [None, "unsendable", None]
    assert not replies[1].sent
    assert sender.sent == ["first", "last"]


def test_a_request_is_under_way_before_its_reply_is_asked_for():
    """`stream` sends at once: whoever has other work does it meanwhile."""
    sender = Scripted()
    exchange = Exchange(SendLimits(), sender)

    arriving = exchange.stream(outgoing("early"))
    wait_until(lambda: sender.sent == ["early"])
    assert [key for group in arriving for key, _ in group] == ["early"]
    exchange.close()
