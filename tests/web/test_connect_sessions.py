"""Connect sessions over the API: made, looked at, waited for, cancelled, and refused in a sentence."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from refresher.rules.access import Scope
from tests.web.kit import Site, refused

SESSIONS = "/v1/connect/sessions"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
NEW = {"provider": "acme", "organization_id": "org", "external_id": "new"}


def begin(site: Site, **given: Any) -> dict[str, Any]:
    """Returns a session as it is answered when it is made."""
    answer = site("POST", SESSIONS, json={**NEW, **given})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_session_is_made_and_its_link_is_told_once(shared: Site) -> None:
    """201 with a URL on our own origin; from then on nothing tells the link."""
    made = begin(shared, for_whom="Ann")
    link = made["url"].rsplit("/", 1)[1]
    assert made["url"].startswith("https://refresher.test/connect/")
    assert (len(link), made["state"]) == (43, "open")
    seen = shared("GET", f"{SESSIONS}/{made['id']}").json()
    assert (seen["kind"], seen["attempts"], seen["for_whom"]) == ("new", 0, "Ann")
    assert seen["connection_id"] == made["connection_id"]
    listed = shared("GET", f"{SESSIONS}?state=open&provider=acme")
    assert made["id"] in [one["id"] for one in listed.json()["items"]]
    assert link not in listed.text + str(seen)


def test_a_connection_that_there_is_is_a_reconnect(shared: Site) -> None:
    """By its id, or by its triple; `if_exists` refuses it instead; a disabled one is refused."""
    id_ = str(shared.world.connect("known"))
    by_id = shared("POST", SESSIONS, json={"connection_id": id_, "flow": "link"}).json()
    by_name = begin(shared, external_id="known")
    for made in (by_id, by_name):
        assert made["connection_id"] == id_
        assert shared("GET", f"{SESSIONS}/{made['id']}").json()["kind"] == "reconnect"
    again = {**NEW, "external_id": "known", "if_exists": "refuse"}
    refused(shared("POST", SESSIONS, json=again), 409, "connection_exists")
    shared("POST", f"/v1/connections/{id_}/disable")
    refused(shared("POST", SESSIONS, json={"connection_id": id_}), 409, "disabled")


def test_a_cancelled_session_has_ended(shared: Site) -> None:
    """Once more changes nothing; what ended is listed by its state."""
    made = begin(shared)
    for _ in range(2):
        told = shared("POST", f"{SESSIONS}/{made['id']}/cancel").json()
        assert (told["state"], told["outcome"]) == ("ended", "cancelled")
    ended = shared("GET", f"{SESSIONS}?state=ended").json()["items"]
    assert made["id"] in [one["id"] for one in ended]


def test_the_end_is_waited_for(shared: Site) -> None:
    """The answer comes as soon as the session has ended, and without an end when the time is over."""
    made = begin(shared)
    path = f"{SESSIONS}/{made['id']}?wait_seconds="

    async def wait_and_cancel() -> tuple[httpx.Response, float]:
        began = time.monotonic()
        waiting = asyncio.ensure_future(shared.send("GET", f"{path}30"))
        await asyncio.sleep(0.2)
        await shared.send("POST", f"{SESSIONS}/{made['id']}/cancel")
        return await waiting, time.monotonic() - began

    early = shared("GET", f"{path}0.2")
    assert early.json()["state"] == "open"
    answer, took = shared.run(wait_and_cancel())
    assert answer.json()["state"] == "ended"
    assert took < 10
    refused(shared("GET", f"{path}61"), 400, "invalid_query")


def test_a_hundred_that_wait_hold_no_thread(shared: Site) -> None:
    """Who waits is a coroutine: others are answered meanwhile."""
    made = begin(shared)

    async def crowd() -> float:
        paths = [f"{SESSIONS}/{made['id']}?wait_seconds=2"] * 100
        waiting = [asyncio.ensure_future(shared.send("GET", path)) for path in paths]
        await asyncio.sleep(0.5)
        began = time.monotonic()
        assert (await shared.send("GET", "/v1/whoami")).status_code == 200
        took = time.monotonic() - began
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
        return took

    assert shared.run(crowd()) < 1.0


@pytest.mark.parametrize(
    ("given", "status", "code", "part"),
    [
        ({"provider": None}, 422, "invalid_body", "provider"),
        ({"provider": "meta"}, 409, "cannot_connect", "meta"),
        ({"provider": "nobody"}, 422, "invalid_connection", "nobody"),
        ({"app": "other"}, 409, "app_missing", "acme/other"),
        ({"return_url": "https://evil.example/"}, 422, "return_url_refused", "return_url"),
        ({"finish": "application"}, 422, "invalid_body", "finish_challenge"),
        ({"finish_challenge": CHALLENGE}, 422, "invalid_body", "finish"),
        ({"finish_challenge": "short"}, 422, "invalid_body", "finish_challenge"),
        ({"expires_in_seconds": 86_400}, 422, "invalid_body", "expires_in_seconds"),
        ({"parameters": {"prompt": "none"}}, 422, "invalid_body", "parameters"),
        ({"connection_id": "7"}, 422, "invalid_body", "connection_id"),
        ({"server_url": "https://a.example/"}, 422, "discovery_refused", "give one of provider"),
        (
            {"provider": None, "issuer": "https://a.example"},
            *(422, "discovery_refused", "REFRESHER_CONNECT_DISCOVERY"),
        ),
        ({"link": "mine"}, 422, "invalid_body", "link"),
    ],
)
def test_a_wrong_order_is_one_sentence(
    shared: Site, given: dict[str, Any], status: int, code: str, part: str
) -> None:
    """Each refusal names what is wrong, and has a code that programs can go by."""
    order = {name: value for name, value in {**NEW, **given}.items() if value is not None}
    problem = refused(shared("POST", SESSIONS, json=order), status, code)
    assert part in str(problem)


def test_what_is_not_there_is_told(shared: Site) -> None:
    """An unknown session, an unknown connection, another organization's."""
    unknown = "0199a2b4-0000-7000-8000-000000000009"
    refused(shared("GET", f"{SESSIONS}/{unknown}"), 404, "no_such_session")
    refused(shared("GET", f"{SESSIONS}/7"), 404, "no_such_session")
    order = {"connection_id": unknown}
    refused(shared("POST", SESSIONS, json=order), 404, "no_such_connection")
    other = shared.new_key(organization_id="other")
    made = begin(shared)
    refused(shared("GET", f"{SESSIONS}/{made['id']}", key=other), 404, "no_such_session")
    refused(shared("POST", SESSIONS, key=other, json=NEW), 403, "organization_mismatch")


def test_nobody_completes_what_is_not_held(shared: Site) -> None:
    """Code and verifier of nobody: 409, and the session stays open."""
    back = {"return_url": "https://app.example/connected", "finish": "application"}
    made = begin(shared, **back, finish_challenge=CHALLENGE)
    body = {"code": "c" * 43, "verifier": "v" * 43}
    answer = shared("POST", f"{SESSIONS}/{made['id']}/complete", json=body)
    refused(answer, 409, "not_confirmed")
    assert shared("GET", f"{SESSIONS}/{made['id']}").json()["state"] == "open"


def test_another_account_needs_a_key_that_writes(shared: Site) -> None:
    """A key that only connects cannot put another account in the place of a connection's."""
    weak = shared.new_key({Scope.CONNECT})
    answer = shared("POST", SESSIONS, key=weak, json={**NEW, "allow_account_change": True})
    refused(answer, 403, "scope_missing")
    begin(shared, allow_account_change=True)


def test_providers_tell_whether_people_can_connect(shared: Site) -> None:
    """With the redirect URI to register, or with the reason why nobody can."""
    acme = shared("GET", "/v1/providers/acme").json()["connect"]
    assert (acme["possible"], acme["why_not"]) == (True, None)
    assert acme["redirect_uri"] == "https://refresher.test/connect/callback/acme"
    meta = shared("GET", "/v1/providers/meta").json()["connect"]
    assert (meta["possible"], meta["redirect_uri"]) == (False, None)
    assert meta["why_not"]
