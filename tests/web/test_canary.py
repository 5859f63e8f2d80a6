"""A token that goes through every route is found in the answers of the token route and nowhere else."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from refresher.web.table import ROUTES
from tests.web.kit import Site
from tests.web.test_access import BODIES
from tests.world import refused

TOKENS = ("canary-access", "canary-refresh", "canary-client-secret", "access-1", "refresh-1")


def test_a_token_is_found_nowhere_but_in_its_own_answer(
    site: Site, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in other answers, headers, problems, logs at debug, nor in any column in the clear."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    tokens: list[str] = []
    told: list[str] = []

    def ask(method: str, path: str, **more: Any) -> Any:
        answer = site(method, path, **more)
        good = path.endswith("/token") and answer.status_code == 200
        (tokens if good else told).append(answer.text)
        told.append(str(answer.headers))
        return answer

    line = {
        "organization_id": "org",
        "provider": "acme",
        "external_id": "canary",
        "access_token": "canary-access",
        "refresh_token": "canary-refresh",
        "expires_in": 3600,
    }
    app = {"provider": "acme", "client_id": "id", "client_secret": "canary-client-secret"}
    ask("PUT", "/v1/apps", json=app, headers={"Idempotency-Key": "a"})
    # When it goes through every route of the table, well
    id_ = ask("PUT", "/v1/connections", json=line, headers={"Idempotency-Key": "c"}).json()["id"]
    for route in ROUTES:
        if route.method in {"PUT", "DELETE"}:
            continue
        path = route.path.replace("{id}", id_).replace("{name}", "acme")
        ask(route.method, path, json=BODIES.get((route.method, route.path), {}))
    # And in every way that is wrong
    for wrong in (
        {"access_token": ["canary-access"]},
        {"canary-access": 1},
        {"expires_at": "canary-access"},
    ):
        ask("PUT", "/v1/connections", json={**line, **wrong})
    ask(
        "PUT",
        "/v1/connections",
        content=b'{"access_token": "canary-access"',
        headers={"Content-Type": "application/json"},
    )
    monkeypatch.setattr("refresher.web.connections.intake.take", _broken)
    assert ask("PUT", "/v1/connections", json=line).status_code == 500
    site.world.script.answer = lambda _request: refused("invalid_grant")
    ask("POST", f"/v1/connections/{id_}/refresh")
    site.world.pass_time(7200)
    ask("GET", f"/v1/connections/{id_}/token")
    ask("DELETE", f"/v1/connections/{id_}?revoke=true")
    site.api.state.reads.write()
    # Then only the token route told a token
    assert any("access-1" in text or "canary-access" in text for text in tokens)
    captured = capfd.readouterr()
    held = "\n".join([*told, captured.out, captured.err, _stored(site)])
    # A field's name is the client's own word, and is told back to the one who sent it.
    held = held.replace('"canary-access: there is no such field', "").replace(
        '"field":"canary-access"', ""
    )
    assert "a request failed" in held
    assert {token for token in (*TOKENS, site.key) if token in held} == set()


def _broken(_services: object, chunk: object) -> None:
    raise ValueError(f"{TOKENS[0]} of {chunk}")


def _stored(site: Site) -> str:
    """Returns every row of every table as text."""
    tables = site.world.rows("select relname from pg_stat_user_tables")
    return "\n".join(
        str(row[0])
        for (table,) in tables
        for row in site.world.rows(f'select t::text from "{table}" t')
    )
