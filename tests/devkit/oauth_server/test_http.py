"""The token endpoints over a real socket, asked by a real HTTP client."""

import httpx
import pytest

from refresher.devkit.oauth_server import FakeProvider, IssuedGrant
from tests import loopback
from tests.devkit.oauth_server.conftest import CLIENT


def refresh(http: httpx.Client, token: str | None) -> httpx.Response:
    """Asks for a refresh in the ordinary way."""
    return http.post("/token", data={"grant_type": "refresh_token", "refresh_token": token})


def test_a_refresh_opens_the_resource(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A refresh answers a Bearer token with which the resource names the account."""
    reply = refresh(http, grant.refresh_token)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-store")
    bearer = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    resource = loopback.get(f"{provider.url}/resource", headers=bearer)
    assert (resource.status_code, resource.json()) == (200, {"sub": "acct-0"})
    assert provider.admin.summary().resource_ok == 1


@pytest.mark.parametrize("authorization", ["Bearer nonsense", "Basic x", ""])
def test_the_resource_refuses_strangers(provider: FakeProvider, authorization: str) -> None:
    """The resource answers 401 with a challenge to whoever has no good token."""
    headers = {"Authorization": authorization}
    reply = loopback.get(f"{provider.url}/resource", headers=headers)
    assert reply.status_code == 401
    assert "invalid_token" in reply.headers["www-authenticate"]
    assert provider.admin.summary().resource_refused == 1


@pytest.mark.parametrize("road", ["form", "json"])
@pytest.mark.parametrize("identified_by", ["basic", "body"])
def test_clients_come_by_every_road(
    provider: FakeProvider, grant: IssuedGrant, road: str, identified_by: str
) -> None:
    """A refresh is understood as a form or JSON, the client by HTTP Basic or in the body."""
    fields = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
    auth = CLIENT if identified_by == "basic" else None
    if identified_by == "body":
        fields |= {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
    url = f"{provider.url}/token"
    if road == "form":
        reply = loopback.post(url, data=fields, auth=auth)
    else:
        reply = loopback.post(url, json=fields, auth=auth)
    assert reply.status_code == 200, reply.text


def test_a_wrong_client_never_reaches_the_grant(provider: FakeProvider, grant: IssuedGrant) -> None:
    """A wrong secret is 401 invalid_client, and the refresh token is not spent by it."""
    with loopback.client(base_url=provider.url, auth=("fake-client", "wrong")) as http:
        reply = refresh(http, grant.refresh_token)
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    assert next(provider.admin.grants()).generation == 0
    assert provider.admin.summary().refused == {"invalid_client": 1}


def test_reuse_ends_the_family(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """A spent refresh token, presented again, is invalid_grant and takes the newest pair along."""
    newest = refresh(http, grant.refresh_token).json()
    reply = refresh(http, grant.refresh_token)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert refresh(http, newest["refresh_token"]).json()["error"] == "invalid_grant"
    totals = provider.admin.summary()
    assert (totals.presented_twice, totals.families_revoked) == (1, 1)
    assert totals.grants_alive == 0


def test_a_replay_in_the_grace_tells_the_same_pair(
    provider: FakeProvider, http: httpx.Client, grant: IssuedGrant
) -> None:
    """Within the grace, a second presentation answers the same tokens and counts as forgiven."""
    provider.admin.change_options(grace_seconds=600)
    first, second = (refresh(http, grant.refresh_token).json() for _ in range(2))
    assert first["access_token"] == second["access_token"]
    assert first["refresh_token"] == second["refresh_token"]
    assert provider.admin.summary().replayed_in_grace == 1


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
        ({"grant_type": "fb_exchange_token"}, "unsupported_grant_type"),
    ],
)
def test_a_wrong_request_has_its_error(
    http: httpx.Client, fields: dict[str, str], error: str
) -> None:
    """What is missing, unknown or asked at the wrong path is told by RFC 6749's codes."""
    reply = http.post("/token", data=fields)
    assert (reply.status_code, reply.json()["error"]) == (400, error)


def test_client_credentials_answer_an_access_token_alone(http: httpx.Client) -> None:
    """grant_type=client_credentials gives an access token and no refresh token."""
    body = http.post("/token", data={"grant_type": "client_credentials"}).json()
    assert sorted(body) == ["access_token", "expires_in", "token_type"]


@pytest.mark.parametrize("grant_type", ["th_refresh_token", "ig_refresh_token"])
def test_a_long_lived_token_renews_itself(
    provider: FakeProvider, grant: IssuedGrant, grant_type: str
) -> None:
    """GET /refresh_access_token exchanges a live token without a client; a dead one is refused."""
    url = f"{provider.url}/refresh_access_token"
    query = {"grant_type": grant_type, "access_token": grant.access_token}
    renewed = loopback.get(url, params=query).json()
    assert renewed["access_token"] != grant.access_token
    assert "refresh_token" not in renewed
    provider.admin.advance_clock(4000)
    refused = loopback.get(url, params=query)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 190)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_exchange_with_a_client_needs_its_secret(
    provider: FakeProvider, grant: IssuedGrant, method: str
) -> None:
    """/oauth/access_token exchanges by GET and POST, with client_id and client_secret only."""
    fields = {"grant_type": "fb_exchange_token", "fb_exchange_token": grant.access_token}
    known = fields | {"client_id": CLIENT[0], "client_secret": CLIENT[1]}
    where = "params" if method == "GET" else "data"
    url = f"{provider.url}/oauth/access_token"
    with loopback.client() as http:
        good = http.request(method, url, **{where: known})  # type: ignore[arg-type]
        bad = http.request(method, url, **{where: fields})  # type: ignore[arg-type]
    assert (good.status_code, bad.status_code) == (200, 401)
    assert good.json()["access_token"] != grant.access_token


def test_introspection_tells_good_tokens_from_bad(
    http: httpx.Client, grant: IssuedGrant, provider: FakeProvider
) -> None:
    """RFC 7662: live tokens are active with their account; spent, dead and unknown ones are not."""

    def is_active(token: str | None) -> bool:
        return bool(http.post("/introspect", data={"token": token}).json()["active"])

    newest = refresh(http, grant.refresh_token).json()
    assert is_active(newest["access_token"])
    assert is_active(newest["refresh_token"])
    assert not is_active(grant.refresh_token)
    assert not is_active("stranger")
    provider.admin.advance_clock(4000)
    assert not is_active(newest["access_token"])
    assert is_active(newest["refresh_token"])


def test_revocation_ends_the_family(http: httpx.Client, grant: IssuedGrant) -> None:
    """RFC 7009: revoking the refresh token ends it; revoking nonsense is fine as well."""
    assert http.post("/revoke", data={"token": grant.refresh_token}).status_code == 200
    assert http.post("/revoke", data={"token": "stranger"}).status_code == 200
    assert refresh(http, grant.refresh_token).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
def test_looking_at_tokens_needs_a_client_and_a_token(provider: FakeProvider, path: str) -> None:
    """Introspection and revocation are 401 without credentials and 400 without a token."""
    url = f"{provider.url}{path}"
    assert loopback.post(url, data={"token": "x"}).status_code == 401
    assert loopback.post(url, auth=CLIENT).status_code == 400


def test_the_provider_keeps_its_own_date(provider: FakeProvider, http: httpx.Client) -> None:
    """A shifted clock shows in the Date header and in what an hour-old token is worth."""
    grant = provider.admin.create_grants(1, lifetime_seconds=60)[0]
    provider.admin.advance_clock(-365 * 86_400)
    before = refresh(http, grant.refresh_token).headers["date"]
    provider.admin.advance_clock(730 * 86_400)
    after = refresh(http, "x").headers["date"]
    assert int(after.split()[3]) - int(before.split()[3]) == 2


def test_no_token_reaches_the_log(
    provider: FakeProvider, grant: IssuedGrant, caplog: pytest.LogCaptureFixture
) -> None:
    """The server logs no request, whatever logging its host process has set up."""
    caplog.set_level("DEBUG", "uvicorn")
    query = {"grant_type": "th_refresh_token", "access_token": grant.access_token}
    loopback.get(f"{provider.url}/refresh_access_token", params=query)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("uvicorn")]
    assert grant.access_token not in " ".join(said)


def test_a_taken_port_is_refused(provider: FakeProvider) -> None:
    """A provider on a port in use raises OSError when it is made."""
    with pytest.raises(OSError, match="in use"):
        FakeProvider(port=provider.port)


def test_latency_does_not_change_the_answer(provider: FakeProvider, http: httpx.Client) -> None:
    """With latency, the answer is the same, and the ledger shows how long it took."""
    provider.admin.change_options(latency_seconds=0.05)
    grant = provider.admin.create_grants(1)[0]
    assert refresh(http, grant.refresh_token).status_code == 200
    event = next(provider.admin.grants()).events[0]
    assert event.ended_at is not None
    assert (event.ended_at - event.began_at).total_seconds() >= 0.04
