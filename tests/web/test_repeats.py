"""`Idempotency-Key`: once is once, however often a request is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.web.kit import Site, refused

LINE = {
    "organization_id": "org",
    "provider": "acme",
    "external_id": "1",
    "refresh_token": "canary-refresh-token",
}


def put(site: Site, repeat: str, key: str | None = "", **more: Any) -> httpx.Response:
    """Registers a connection under an idempotency key."""
    headers = {"Idempotency-Key": repeat}
    return site("PUT", "/v1/connections", json={**LINE, **more}, headers=headers, key=key)


def test_the_second_time_is_the_first_answer(site: Site) -> None:
    """The same request again is not carried out: status, body and ETag are the first one's."""
    first, again = put(site, "one"), put(site, "one")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.content, first.headers["etag"]) == (again.content, again.headers["etag"])
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert put(site, "two").json()["credential_version"] == 2
    assert put(site, "one").json()["credential_version"] == 1


def test_another_request_under_the_same_key_is_refused(site: Site) -> None:
    """A key that was used for something else is 422; another API key's keys are its own."""
    put(site, "one")
    refused(put(site, "one", name="other"), 422, "idempotency_key_reused")
    assert put(site, "one", key=site.new_key(), name="other").status_code == 200


def test_what_failed_may_be_tried_again(site: Site) -> None:
    """An answer that is an error is not kept."""
    refused(put(site, "one", provider="none"), 422, "invalid_connection")
    assert put(site, "one").status_code == 201


def test_while_the_first_is_under_way_the_second_is_told(site: Site) -> None:
    """Of twenty at once one is carried out; the rest are 409, or the first one's answer."""

    async def all_at_once() -> list[httpx.Response]:
        headers = {"Idempotency-Key": "one"}
        sent = [site.send("PUT", "/v1/connections", json=LINE, headers=headers) for _ in range(20)]
        return list(await asyncio.gather(*sent))

    answers = site.run(all_at_once())
    assert {a.status_code for a in answers} <= {201, 409}
    assert (
        sum("idempotency-replayed" not in a.headers for a in answers if a.status_code == 201) == 1
    )
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, 409, "request_under_way")
    assert site.world.one("select credential_version from connection")[0] == 1


def test_an_answer_is_kept_for_a_day(site: Site) -> None:
    """After a day the key may be used anew, and the old row is gone."""
    put(site, "one")
    site.world.pass_time(86_401)
    fresh = put(site, "one")
    assert (fresh.status_code, fresh.json()["credential_version"]) == (200, 2)
    assert site.world.one("select count(*) from idempotency")[0] == 1


def test_nothing_secret_is_kept(site: Site) -> None:
    """The table holds neither token nor key, nor a plain hash that a guess could be tried against."""
    put(site, "one")
    row = site.world.one("select fingerprint, body from idempotency")
    assert b"canary" not in bytes(row.body) + bytes(row.fingerprint)
    assert site.key.encode() not in bytes(row.body) + bytes(row.fingerprint)


@pytest.mark.parametrize("word", ["pause", "resume", "refresh"])
def test_a_deed_is_done_once(site: Site, word: str) -> None:
    """Repeating a deed writes one event, not two."""
    id_ = site.world.connect()
    if word == "resume":
        assert site("POST", f"/v1/connections/{id_}/disable").status_code == 200
    before = len(site.world.events(id_))
    headers = {"Idempotency-Key": "deed"}
    for _ in range(2):
        assert site("POST", f"/v1/connections/{id_}/{word}", headers=headers).status_code == 200
    assert len(site.world.events(id_)) == before + 1
