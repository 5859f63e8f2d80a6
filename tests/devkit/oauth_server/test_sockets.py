"""The faults as a client meets them: errors, lost sockets, half answers. The sockets are real."""

import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import httpx
import orjson
import pytest

from refresher.devkit.oauth_server import (
    EventRecord,
    FakeProvider,
    GrantRecord,
    HeldTokens,
    IssuedGrant,
)
from tests import loopback
from tests.devkit.oauth_server.conftest import CLIENT
from tests.ports import LOOPBACK
from tests.waiting import wait_until


def refresh(http: httpx.Client, grant: IssuedGrant) -> httpx.Response:
    """Asks for a refresh in the ordinary way."""
    fields = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    return http.post("/token", data=fields)


@contextmanager
def in_hand(provider: FakeProvider, grant: IssuedGrant) -> Iterator[None]:
    """Has the provider take a refresh in hand; after the block its client is gone, and it knows."""
    fields = urlencode({"grant_type": "refresh_token", "refresh_token": grant.refresh_token})
    head = [
        "POST /token HTTP/1.1",
        f"Host: {LOOPBACK}",
        f"Authorization: Basic {b64encode(':'.join(CLIENT).encode()).decode()}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(fields)}",
    ]
    with socket.create_connection((LOOPBACK, provider.port)) as client:
        client.sendall("\r\n".join([*head, "", fields]).encode())
        wait_until(lambda: provider.admin.summary().requests_in_flight == 1)
        yield
        here = client.getsockname()
    wait_until(lambda: here not in provider.state.connections._open)


def record(provider: FakeProvider) -> GrantRecord:
    """Returns the first account's line in the ledger."""
    return next(provider.admin.grants())


def last_event(provider: FakeProvider) -> EventRecord:
    """Returns the first account's newest event, once its request has ended."""
    wait_until(lambda: provider.admin.summary().requests_in_flight == 0)
    return record(provider).events[-1]


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"kind": "status_500"}, 500, None),
        ({"kind": "status_503", "retry_after_seconds": 7}, 503, None),
        ({"kind": "status_429"}, 429, "too_many_requests"),
        ({"kind": "garbage"}, 200, None),
        ({"kind": "redirect"}, 302, None),
        ({"kind": "error", "error": "invalid_client", "status": 401}, 401, "invalid_client"),
        ({"kind": "error"}, 400, "invalid_grant"),
    ],
)
def test_an_answered_fault_leaves_the_grant_alone(
    provider: FakeProvider,
    http: httpx.Client,
    grant: IssuedGrant,
    fault: dict[str, Any],
    status: int,
    error: str | None,
) -> None:
    """The client sees the fault's status; afterwards the same refresh token still works."""
    provider.admin.add_fault(**fault, count=1)
    reply = refresh(http, grant)
    assert reply.status_code == status
    assert error is None or reply.json()["error"] == error
    assert refresh(http, grant).status_code == 200
    assert provider.admin.summary().faults == {fault["kind"]: 1}
    assert [event.outcome for event in record(provider).events] == ["fault", "issued"]


def test_garbage_is_no_json_and_a_redirect_leads_nowhere(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A garbage answer does not parse; who follows the redirect finds a page without a token."""
    provider.admin.add_fault("garbage", count=1)
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(refresh(http, grant).content)
    provider.admin.add_fault("redirect", count=1)
    assert refresh(http, grant).headers["location"] == "/elsewhere"
    assert http.get("/elsewhere").status_code == 404


def test_a_drop_before_leaves_the_grant_alone(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A drop_before closes the socket without a byte; the same refresh token still works."""
    provider.admin.add_fault("drop_before", count=1)
    with pytest.raises(httpx.TransportError):
        refresh(http, grant)
    event = last_event(provider)
    assert (event.outcome, event.delivery) == ("fault", "dropped")
    assert provider.admin.summary().dropped_answers == 0
    assert refresh(http, grant).status_code == 200


def test_a_drop_after_commit_has_spent_the_token(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A drop_after_commit rotates, then closes the socket: the pair exists, and nobody was told."""
    provider.admin.add_fault("drop_after_commit", count=1)
    with pytest.raises(httpx.TransportError):
        refresh(http, grant)
    event = last_event(provider)
    assert (event.outcome, event.generation, event.delivery) == ("issued", 1, "dropped")
    assert provider.admin.summary().dropped_answers == 1
    assert refresh(http, grant).json()["error"] == "invalid_grant"


def test_a_dropped_answer_can_be_replayed_in_the_grace(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """With a grace, the client that lost its answer gets the very pair that was lost."""
    provider.admin.change_options(grace_seconds=600)
    provider.admin.add_fault("drop_after_commit", count=1)
    with pytest.raises(httpx.TransportError):
        refresh(http, grant)
    assert refresh(http, grant).status_code == 200
    assert record(provider).generation == 1


def test_a_truncated_answer_breaks_off(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """Half of the promised body is a protocol error at the client, and the token is spent."""
    provider.admin.add_fault("truncated", count=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        refresh(http, grant)
    event = last_event(provider)
    assert (event.outcome, event.delivery) == ("issued", "truncated")


def test_a_hang_waits_for_the_client_to_give_up(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A hang answers nothing; the ledger says that the client gave up, and nothing is spent."""
    provider.admin.add_fault("hang", count=1, seconds=3600)
    with in_hand(provider, grant):
        pass
    event = last_event(provider)
    assert (event.fault, event.delivery) == ("hang", "client_gone")
    assert refresh(http, grant).status_code == 200


def test_a_hang_ends_by_itself(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """After its seconds, hang closes the socket without an answer."""
    provider.admin.add_fault("hang", count=1, seconds=0.05)
    with pytest.raises(httpx.RemoteProtocolError):
        refresh(http, grant)
    assert last_event(provider).delivery == "dropped"


def test_a_slow_answer_has_spent_the_token(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A slow fault commits first: a client that gives up has a spent token, and overlaps itself."""
    provider.admin.add_fault("slow", count=1, seconds=3600)
    with in_hand(provider, grant):
        wait_until(lambda: record(provider).events[-1].outcome == "issued")
    assert refresh(http, grant).json()["error"] == "invalid_grant"
    totals = provider.admin.summary()
    assert (totals.overlapping_requests, totals.requests_in_flight_max) == (1, 2)
    assert record(provider).in_flight == 1


def test_a_slow_answer_arrives(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A slow fault answers in the end what it committed."""
    provider.admin.add_fault("slow", count=1, seconds=0.05)
    assert refresh(http, grant).status_code == 200
    assert last_event(provider).delivery == "answered"


def test_a_client_that_left_has_lost_its_answer(provider: FakeProvider, grant: IssuedGrant) -> None:
    """An answer to a client that has closed its socket counts as dropped, with no fault at work."""
    # Given an answer that takes its time
    provider.admin.change_options(latency_seconds=3600)
    # When the client leaves, and then that time is over
    with in_hand(provider, grant):
        pass
    assert provider._server.loop is not None
    provider._server.loop.call_soon_threadsafe(provider.state.pauses.stop)
    # Then
    event = last_event(provider)
    assert (event.outcome, event.fault, event.delivery) == ("issued", None, "client_gone")
    assert provider.admin.summary().dropped_answers == 1


@pytest.mark.parametrize("kind", ["huge", "extra_fields"])
def test_an_odd_answer_is_good(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant, kind: str
) -> None:
    """Padded and decorated answers arrive whole and hold the newest tokens."""
    provider.admin.add_fault(kind, count=1, megabytes=2)  # type: ignore[arg-type]
    reply = refresh(http, grant)
    assert len(reply.content) > 100_000
    checked = provider.admin.check(
        [HeldTokens("acct-0", reply.json()["access_token"], reply.json()["refresh_token"])]
    )
    assert next(checked).refresh_is_newest
    assert last_event(provider).fault == kind


def test_a_fault_can_be_aimed_at_some_accounts(provider: FakeProvider, http: httpx.Client) -> None:
    """A rule with a prefix hits the accounts of that name and spares the others."""
    provider.admin.add_fault("status_500", match="vip-")
    [spared], [hit] = (
        provider.admin.create_grants(1),
        provider.admin.create_grants(1, prefix="vip-"),
    )
    assert refresh(http, spared).status_code == 200
    assert refresh(http, hit).status_code == 500
    provider.admin.clear_faults()
    assert refresh(http, hit).status_code == 200


def test_stopping_does_not_wait_for_a_hang(grant: IssuedGrant, provider: FakeProvider) -> None:
    """A provider with hanging and sleeping requests stops at once, and their clients see it."""
    provider.admin.add_fault("hang", count=1, seconds=3600)
    provider.admin.add_fault("slow", count=1, seconds=3600)
    errors: list[Exception] = []

    def ask() -> None:
        try:
            client = loopback.client(base_url=provider.url, auth=CLIENT)
            with client as http:
                refresh(http, grant)
        except httpx.TransportError as error:
            errors.append(error)

    threads = [Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: provider.admin.summary().requests_in_flight == 2)
    provider.stop()
    for thread in threads:
        thread.join()
    assert len(errors) == 2
    assert not any(isinstance(error, httpx.TimeoutException) for error in errors)
    assert not provider._thread.is_alive()
