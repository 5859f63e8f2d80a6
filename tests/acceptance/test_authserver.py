"""The authorization server behaves as the acceptance tests assume, seen with plain httpx.

Nothing of refresher runs here: if one of these fails, the toolkit has changed, not refresher.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import loopback
from tests.acceptance.authserver.harness import AuthServer
from tests.acceptance.authserver.request_log import fingerprint

GRANTS = 40
ACCESS_TOKEN_SECONDS = 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuthServer]:
    """One server for the module; each test takes grants of its own from it."""
    with AuthServer(
        tmp_path_factory.mktemp("authserver"),
        grants=GRANTS,
        access_token_seconds=ACCESS_TOKEN_SECONDS,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def unused(server: AuthServer) -> Iterator[dict[str, Any]]:
    """Grants that no test has touched yet."""
    return iter(server.grants())


def refresh(server: AuthServer, refresh_token: str) -> httpx.Response:
    """Presents a refresh token as RFC 6749 section 6 has it, with a Basic header."""
    return loopback.post(
        server.token_url,
        data={"grant_type": "refresh_token", "refresh_token": refresh_token},
        auth=(server.client_id, server.client_secret),
    )


@pytest.mark.slow
def test_grants_are_importable_and_spread_over_their_lifetime(server: AuthServer) -> None:
    """Seeded grants carry the import fields, and last three fifths to the whole of the lifetime."""
    # Given the file that `refresher import` reads
    grants = [json.loads(line) for line in Path(server.ready.grants_file).read_text().splitlines()]
    # Then every line has what an import needs
    account = {"organization_id", "provider", "external_id", "name"}
    tokens = {"access_token", "refresh_token", "expires_in"}
    assert all(set(grant) == account | tokens for grant in grants)
    # And the lifetimes are spread
    expires_in = [grant["expires_in"] for grant in grants]
    assert (len(set(expires_in)), expires_in[0], expires_in[-1]) == (GRANTS, 360, 600)
    # And the harness takes off what has passed since
    assert all(
        left["expires_in"] < grant["expires_in"]
        for left, grant in zip(server.grants(), grants, strict=True)
    )


def test_refresh_rotates_the_pair(server: AuthServer, unused: Iterator[dict[str, Any]]) -> None:
    """A refresh answers a new pair with its lifetime, and the replaced access token is dead."""
    # Given a grant whose access token works
    grant = next(unused)
    assert server.introspect([grant["access_token"]]) == [True]
    # When its refresh token is presented
    answer = refresh(server, grant["refresh_token"])
    # Then both tokens are new
    pair = answer.json()
    assert answer.status_code == httpx.codes.OK
    assert pair["expires_in"] == ACCESS_TOKEN_SECONDS
    assert pair["refresh_token"] != grant["refresh_token"]
    # And only the new access token works
    assert server.introspect([grant["access_token"], pair["access_token"]]) == [False, True]


def test_client_may_authenticate_in_the_body(
    server: AuthServer, unused: Iterator[dict[str, Any]]
) -> None:
    """Client id and secret are accepted in the request body too, and a wrong secret is refused."""
    # Given the fields of a refresh
    data = {"grant_type": "refresh_token", "refresh_token": next(unused)["refresh_token"]}
    data["client_id"] = server.client_id
    # When they come with a wrong secret, then with the right one
    wrong, right = (
        loopback.post(server.token_url, data={**data, "client_secret": secret})
        for secret in ("wrong", server.client_secret)
    )
    # Then the first leaves the refresh token unspent for the second
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert right.status_code == httpx.codes.OK


def test_spent_refresh_token_ends_the_family(
    server: AuthServer, unused: Iterator[dict[str, Any]]
) -> None:
    """A spent refresh token is invalid_grant, and takes the pair that replaced it along."""
    # Given a grant that was refreshed once
    spent = next(unused)["refresh_token"]
    pair = refresh(server, spent).json()
    twice_before = server.presented_twice()
    # When the spent token is presented again
    replay = refresh(server, spent)
    # Then it is refused, and so is its successor from then on
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert server.introspect([pair["access_token"]]) == [False]
    assert refresh(server, pair["refresh_token"]).json()["error"] == "invalid_grant"
    # And the recorder has seen it come twice
    assert server.presented_twice() == twice_before + 1
    seen = [r for r in server.requests() if r.refresh_token == fingerprint(spent)]
    assert [(r.status, r.error) for r in seen] == [(200, None), (400, "invalid_grant")]
    assert seen[0].issued_access_token == fingerprint(pair["access_token"])
    assert seen[0].issued_refresh_token == fingerprint(pair["refresh_token"])
    # And has kept no token in the clear
    recorded = Path(server.ready.grants_file).with_name("requests.jsonl").read_text()
    assert not any(
        token in recorded for token in (spent, pair["refresh_token"], pair["access_token"])
    )


def test_many_refreshes_at_once_all_succeed(
    server: AuthServer, unused: Iterator[dict[str, Any]]
) -> None:
    """Twenty grants refreshed by eight threads at once all get a working pair."""
    # Given twenty unspent refresh tokens
    refresh_tokens = [next(unused)["refresh_token"] for _ in range(20)]
    # When eight threads present them
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda token: refresh(server, token), refresh_tokens))
    # Then the database refused none of them
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 20
    assert all(server.introspect([answer.json()["access_token"] for answer in answers]))


def test_second_run_in_one_directory_is_refused(server: AuthServer) -> None:
    """A directory that holds an earlier run is refused with a sentence that names it."""
    directory = Path(server.ready.grants_file).parent
    with pytest.raises(RuntimeError, match="give an empty directory"), AuthServer(directory):
        pass
