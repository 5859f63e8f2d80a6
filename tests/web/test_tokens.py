"""The token route: fresh ones at once, others refreshed, expired ones never; and refresh now."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import httpx
import pytest

from refresher.web import state
from tests.waiting import wait_until
from tests.web.kit import Site, refused
from tests.world import refused as refusal


def token(site: Site, id_: object, **query: object) -> httpx.Response:
    """Asks for a token."""
    return site("GET", f"/v1/connections/{id_}/token", params=query)


def test_a_fresh_token_is_answered_at_once(site: Site) -> None:
    """The answer has the token, its life and its fingerprint, may not be stored, and is counted."""
    id_ = site.world.connect()
    answer = token(site, id_)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "access_token": "access-of-c1",
        "token_type": "Bearer",
        "expires_at": "2030-01-01T13:00:00Z",
        "expires_in_seconds": 3600.0,
        "scopes": [],
        "credential_version": 1,
        "fingerprint": sha256(b"access-of-c1").hexdigest()[:16],
        "stale": False,
        "reason": None,
        "kept_fields": {},
        "old_access_token_survives": True,
        "slot": None,
    }
    assert site.world.script.asked == []
    token(site, id_)
    site.api.state.reads.write(site.api.state.reads.take())
    (deed,) = site.world.rows("select * from audit where action = 'token_read'")
    assert (deed.action, deed.connection_id, deed.count) == ("token_read", id_, 2)


def test_reads_are_written_in_small_groups(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy process writes them as they come, so that no large write ever keeps callers waiting."""
    monkeypatch.setattr(state, "MOST_ALIKE", 3)
    ids = [site.world.connect(f"c{number}") for number in range(7)]
    for id_ in ids:
        assert token(site, id_).status_code == 200
    wait_until(
        lambda: (
            site.world.one("select count(*) as rows from audit where action = 'token_read'").rows
            == 6
        )
    )
    assert len(site.api.state.reads.take()) == 1


def test_a_token_with_too_little_life_is_refreshed_first(site: Site) -> None:
    """`min_ttl_seconds` more than is left means a refresh, and the new token is answered."""
    id_ = site.world.connect(expires_in=90)
    assert token(site, id_, min_ttl_seconds=30).json()["access_token"] == "access-of-c1"
    assert token(site, id_, min_ttl_seconds=600).json()["access_token"] == "access-1"


def test_many_callers_of_an_expired_token_cause_one_exchange(site: Site) -> None:
    """A hundred at once get the same new token, and the provider is asked once."""
    id_ = site.world.connect(expires_in=1)
    site.world.pass_time(60)

    async def all_at_once() -> list[httpx.Response]:
        path = f"/v1/connections/{id_}/token"
        return list(await asyncio.gather(*(site.send("GET", path) for _ in range(100))))

    answers = site.run(all_at_once())
    assert {a.json()["access_token"] for a in answers} == {"access-1"}
    assert len(site.world.script.asked) == 1


def test_a_rejected_token_is_replaced_once(site: Site) -> None:
    """A report of the stored token refreshes it; a report of an older one is served the stored one."""
    id_ = site.world.connect()
    path = f"/v1/connections/{id_}/token"
    first = site("POST", path, json={}).json()
    body = {"rejected": first["fingerprint"], "min_ttl_seconds": 0, "wait_seconds": 5}
    assert site("POST", path, json=body).json()["access_token"] == "access-1"
    assert site("POST", path, json=body).json()["access_token"] == "access-1"
    assert len(site.world.script.asked) == 1
    assert site("POST", path).json()["access_token"] == "access-1"


def test_an_expired_token_is_never_answered(site: Site) -> None:
    """Trouble that passes is 503 with Retry-After, a dead grant 409; both say why."""
    id_ = site.world.connect(expires_in=1)
    site.world.pass_time(60)
    site.world.script.answer = lambda _request: refusal("server_error", 503)
    answer = token(site, id_)
    problem = refused(answer, 503, "token_unavailable_now")
    assert problem["reason"] == "refresh_failed"
    assert int(answer.headers["retry-after"]) >= problem["retry_after_seconds"] > 0
    site.world.pass_time(3600)
    site.world.script.answer = lambda _request: refusal("invalid_grant")
    problem = refused(token(site, id_), 409, "token_unavailable")
    assert problem["reason"] == "reconnect_required"
    assert "access-of-c1" not in answer.text


def test_refreshing_now_tells_how_it_ended(site: Site) -> None:
    """POST refresh answers the ending; a parked connection is a conflict with its reason."""
    id_ = site.world.connect()
    path = f"/v1/connections/{id_}"
    ending = site("POST", f"{path}/refresh", json={"wait_seconds": 5}).json()
    assert (ending["outcome"], ending["by_us"], ending["http_status"]) == ("refreshed", True, 200)
    site.world.script.answer = lambda _request: refusal("invalid_grant")
    assert site("POST", f"{path}/refresh").json()["outcome"] == "revoked"
    problem = refused(site("POST", f"{path}/refresh"), 409, "not_refreshable")
    assert problem["reason"] == "reconnect_required"
