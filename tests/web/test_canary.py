"""A token that goes through every route is found in the answers of the token route and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from tests.proofs.samples import ec_key, pem
from tests.web.kit import Site
from tests.web.rows import ROUTES
from tests.web.test_access import BODIES
from tests.world import refused

KEY = pem(ec_key())

TOKENS = (
    *("canary-access", "canary-refresh", "canary-client-secret", "access-1", "refresh-1"),
    *("canary-former-secret", *KEY.splitlines()[1:-1]),
)
LINE = {
    "organization_id": "org",
    "provider": "acme",
    "external_id": "canary",
    "access_token": "canary-access",
    "refresh_token": "canary-refresh",
    "expires_in": 3600,
}
APP = {
    "provider": "acme",
    "client_id": "id",
    "client_secret": "canary-client-secret",
    "previous_client_secret": "canary-former-secret",
    "private_key": KEY,
}


class Client:
    """Asks, and keeps what it was told: tokens apart from everything else."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.tokens: list[str] = []
        self.told: list[str] = []

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Sends a request."""
        answer = self._site(method, path, **more)
        good = path.endswith("/token") and answer.status_code == 200
        (self.tokens if good else self.told).append(answer.text)
        self.told.append(str(answer.headers))
        return answer


@pytest.fixture
def everything_logged() -> Iterator[None]:
    """Has lines of level debug written."""
    kept = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    yield
    structlog.configure(**kept)


def test_a_token_is_found_nowhere_but_in_its_own_answer(
    site: Site,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    everything_logged: None,
) -> None:
    """Not in other answers, headers, problems, logs at debug, nor in any column in the clear."""
    ask = Client(site)
    # When it goes through every route, well, wrongly, and through a bug and a dead grant
    id_ = _every_route(site, ask)
    _mistakes(ask)
    monkeypatch.setattr("refresher.web.connections.registration.take", _broken)
    assert ask("PUT", "/v1/connections", json=LINE).status_code == 500
    site.world.script.answer = lambda _request: refused("invalid_grant")
    ask("POST", f"/v1/connections/{id_}/refresh")
    site.world.pass_time(7200)
    ask("GET", f"/v1/connections/{id_}/token")
    ask("DELETE", f"/v1/connections/{id_}?revoke=true")
    site.api.state.reads.write(site.api.state.reads.take())
    # Then only the token route told a token
    assert any("canary-access" in text for text in ask.tokens)
    captured = capfd.readouterr()
    held = "\n".join([*ask.told, captured.out, captured.err, _stored(site)])
    assert "a request failed" in held
    assert "token_read" in held
    assert {token for token in (*TOKENS, site.key) if token in held} == set()


def _every_route(site: Site, ask: Client) -> str:
    assert ask("PUT", "/v1/apps", json=APP, headers={"Idempotency-Key": "a"}).status_code == 200
    headers = {"Idempotency-Key": "c"}
    id_ = str(ask("PUT", "/v1/connections", json=LINE, headers=headers).json()["id"])
    for route in ROUTES:
        if route.method not in {"PUT", "DELETE"}:
            parameters = {**site.parameters(route.path.replace("{id}", "")), "id": id_}
            path = route.path.format_map(parameters)
            ask(route.method, path, json=BODIES.get((route.method, route.path), {}))
    return id_


def _mistakes(ask: Client) -> None:
    for wrong in ({"access_token": ["canary-access"]}, {"expires_at": "canary-access"}):
        assert ask("PUT", "/v1/connections", json={**LINE, **wrong}).status_code == 422
    json = {"Content-Type": "application/json"}
    content = b'{"access_token": "canary-access"'
    assert ask("PUT", "/v1/connections", content=content, headers=json).status_code == 400


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
