"""The SDK connects accounts: a URL for the person, the application's word, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from refresher.client import (
    AsyncRefresher,
    ConnectRefused,
    NoSuchConnection,
    NoSuchSession,
    Refresher,
    TokenUnavailable,
)
from refresher.client.connecting import ConnectStart
from refresher.devkit.browser import Browser
from tests.client.conftest import BACK, Place

ANN: dict[str, Any] = {"organization_id": "org", "provider": "acme"}


@pytest.fixture
def ann() -> Iterator[Browser]:
    """A person's browser."""
    with Browser() as browser:
        yield browser


def come_back(browser: Browser, start: ConnectStart) -> dict[str, str]:
    """Consents, and returns what the application is told at its return URL."""
    page = browser.open(start.url, until=BACK)
    assert page.next_url is not None, page.words
    return {name: given[0] for name, given in parse_qs(urlsplit(page.next_url).query).items()}


def test_an_application_has_the_last_word(refresher: Refresher, ann: Browser) -> None:
    """Nothing is connected before code and verifier meet; then its token is served."""
    start = refresher.connect_url(**ANN, external_id=str(uuid4()), return_url=BACK)
    back = come_back(ann, start)
    assert (back["connect_status"], back["connect_session"]) == ("confirm", str(start.session_id))
    assert not refresher.connect_status(start.session_id).is_over
    with pytest.raises(ConnectRefused) as refused:
        refresher.connect_complete(start.session_id, code=back["connect_code"], verifier="v" * 43)
    assert refused.value.code == "not_confirmed"
    assert start.verifier is not None
    done = refresher.connect_complete(
        start.session_id, code=back["connect_code"], verifier=start.verifier
    )
    assert (done.is_connected, done.connection_id) == (True, start.connection_id)
    assert done.connection_id is not None
    with pytest.raises(ConnectRefused):  # once
        refresher.connect_complete(
            start.session_id, code=back["connect_code"], verifier=start.verifier
        )
    assert refresher.token(done.connection_id).access_token.reveal()
    known = refresher.get(done.connection_id)
    assert (known.account_known, known.account_label) == (True, done.account)


def test_our_page_has_it_where_nobody_comes_back(refresher: Refresher, ann: Browser) -> None:
    """Without a return URL there is no verifier; the end is waited for."""
    start = refresher.connect_url(**ANN, external_id=str(uuid4()), for_whom="Ann")
    assert start.verifier is None
    page = ann.open(start.url)
    assert "Ann" in page.words
    ann.submit()
    done = refresher.connect_wait(start.session_id, 30)
    assert (done.outcome, done.problem) == ("connected", None)


def test_a_session_that_nobody_uses_ends(refresher: Refresher) -> None:
    """Waiting ends in time; a cancelled one is over; an unknown one is told."""
    start = refresher.connect_url(**ANN, external_id=str(uuid4()))
    assert refresher.connect_wait(start.session_id, 0.1).state == "open"
    assert refresher.connect_cancel(start.session_id).outcome == "cancelled"
    assert refresher.connect_status(str(start.session_id)).is_over
    for unknown in (uuid4(), "none"):
        with pytest.raises(NoSuchSession):
            refresher.connect_status(unknown)


def test_what_cannot_be_begun_is_told(refresher: Refresher) -> None:
    """With the code of the API, in both modes."""
    with pytest.raises(ConnectRefused) as refused:
        refresher.connect_url(**ANN, external_id="1", return_url="https://evil.example/")
    assert refused.value.code == "return_url_refused"
    with pytest.raises(NoSuchConnection):
        refresher.reconnect_url(uuid4())


def test_links_and_verifiers_are_in_no_log(refresher: Refresher) -> None:
    """Neither in the `repr` of what is handed back, nor in an error's text."""
    start = refresher.connect_url(**ANN, external_id=str(uuid4()), return_url=BACK)
    assert start.verifier is not None
    assert start.url not in repr(start)
    assert start.verifier not in repr(start)


def test_a_dead_connection_leads_to_its_reconnect(refresher: Refresher, place: Place) -> None:
    """`TokenUnavailable` makes the URL on which the same account is connected again."""
    fields = place.fields(expires_in=0)
    made = refresher.register(**fields)
    place.provider.admin.revoke(fields["external_id"])
    with pytest.raises(TokenUnavailable) as dead:
        refresher.token(made.id)
    assert dead.value.code == "reconnect_required"
    start = dead.value.reconnect_url(return_url=BACK)
    assert (start.connection_id, start.verifier is None) == (made.id, False)
    with Browser() as owner:
        owner.open(f"{place.provider.url}/login?account={fields['external_id']}")
        back = come_back(owner, start)
    done = refresher.connect_complete(
        start.session_id, code=back["connect_code"], verifier=start.verifier
    )
    assert done.connection_id == made.id
    assert refresher.token(made.id).access_token.reveal()


def test_the_same_with_asyncio(way: dict[str, Any], place: Place) -> None:
    """Each call is awaited, `reconnect_url` of an error as well."""

    async def go() -> None:
        async with AsyncRefresher(**way) as refresher:
            start = await refresher.connect_url(**ANN, external_id=str(uuid4()), return_url=BACK)
            with Browser() as browser:
                back = await asyncio.to_thread(come_back, browser, start)
            assert start.verifier is not None
            done = await refresher.connect_complete(
                start.session_id, code=back["connect_code"], verifier=start.verifier
            )
            assert (await refresher.connect_wait(start.session_id, 10)).is_connected
            assert done.connection_id is not None
            again = await refresher.reconnect_url(done.connection_id)
            assert (await refresher.connect_cancel(again.session_id)).is_over
            fields = place.fields(expires_in=0)
            made = await refresher.register(**fields)
            place.provider.admin.revoke(fields["external_id"])
            with pytest.raises(TokenUnavailable) as dead:
                await refresher.token(made.id)
            assert (await dead.value.reconnect_url()).connection_id == made.id

    asyncio.run(go())


def test_only_the_sdk_knows_where_to_reconnect() -> None:
    """An error from elsewhere says so instead of failing in its own way."""
    with pytest.raises(ConnectRefused):
        TokenUnavailable("reconnect_required", "the grant is dead").reconnect_url()
