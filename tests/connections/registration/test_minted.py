"""Grants that an app has minted alone, from registration to the second token, against a verifier.

The server knows the public key only, and reads what we sign with other code than ours (jwcrypto).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jwcrypto.common import JWException, base64url_decode
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from refresher.connections.lifecycle import resume
from refresher.runtime.whoever import whoever
from tests.cli.kit import Cli
from tests.connections.registration.kit import NAMES, Opened, Over, Place
from tests.guard import Guard
from tests.outbound.servers import Received
from tests.proofs.samples import RSA, ec_key, pem

BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
APP = '\n[apps.acme]\nclient_id = "robot@acme.example"\nprivate_key_file = "key"\n'
KEY_ID = 'key_id = "k1"\n'
SECRET = '\n[apps.acme]\nclient_id = "robot@acme.example"\nclient_secret = "s3cret"\n'
ME = "robot@acme.example"
GOOGLE = """
token_url = "{url}/token"
strategy = "jwt_bearer"
client_auth = "none"
placeholders = { subject = '[a-z.@]+' }
assertion = { scope = "{scope}", sub = "{subject}" }
"""
GITHUB = """
token_url = "{url}/app/installations/{installation}/access_tokens"
strategy = "github_app"
client_auth = "none"
body = "json"
placeholders = { installation = "[0-9]+" }
answer_names = { access_token = "token" }
headers = { Accept = "application/vnd.github+json" }
"""
SALESFORCE = """
token_url = "{url}/services/oauth2/token"
strategy = "jwt_bearer"
client_auth = "none"
placeholders = { username = '[a-z.@]+' }
assertion = { sub = "{username}" }
assertion_audience = "https://login.salesforce.com"
access_token_lifetime_seconds = 7200
keep_fields = ["instance_url"]
"""
BOX = """
token_url = "{url}/oauth2/token"
strategy = "jwt_bearer"
needs_key_id = true
placeholders = { subject_type = "enterprise|user", subject = "[0-9]+" }
assertion = { sub = "{subject}", box_sub_type = "{subject_type}" }
assertion_seconds = 60
"""
MANAGED = """
token_url = "{url}/oauth2/v2/token"
strategy = "client_credentials"
client_auth = "private_key_jwt"
parameters = { scope = "business.api" }
"""
ZOOM = """
token_url = "{url}/oauth/token"
strategy = "client_credentials"
client_auth = "basic"
grant_type = "account_credentials"
placeholders = { account_id = "[A-Za-z0-9]+" }
parameters = { account_id = "{account_id}" }
"""
OWN = {"iss": ME, "sub": ME}
KINDS: dict[str, tuple[str, str, dict[str, str], dict[str, Any], str]] = {
    "google": (GOOGLE, APP, {"subject": "ann@acme.example"}, {"sub": "ann@acme.example"}, "/token"),
    "github": (GITHUB, APP, {"installation": "42"}, {}, "/app/installations/42/access_tokens"),
    "salesforce": (
        SALESFORCE,
        APP,
        {"username": "ann@acme.example"},
        {"sub": "ann@acme.example", "aud": "https://login.salesforce.com"},
        "/services/oauth2/token",
    ),
    "box": (
        BOX,
        APP + KEY_ID + 'client_secret = "s3cret"\n',
        {"subject": "7", "subject_type": "user"},
        {"sub": "7", "box_sub_type": "user"},
        "/oauth2/token",
    ),
    "managed": (MANAGED, APP, {}, OWN, "/oauth2/v2/token"),
    "zoom": (ZOOM, SECRET, {"account_id": "abc"}, {}, "/oauth/token"),
}


class Verifier:
    """Answers good assertions with a token, and others as a provider does."""

    def __init__(self, place: Place, public: JWK, wanted: dict[str, Any]) -> None:
        self.place, self.public, self.wanted = place, public, wanted
        self.seen: list[dict[str, Any]] = []
        self.refuses = False

    def __call__(self, request: Received) -> tuple[int, object]:
        """Verifies one request; what it lacks fails its test by name."""
        number = len(self.place.server.asked)
        try:
            text = self._assertion(request)
            if text is not None:
                self._check(text, request)
        except (AssertionError, JWException, KeyError) as error:
            return 400, {"error": "invalid_grant", "error_description": f"Bad: {error}"}
        if self.refuses:
            return 400, {
                "error": "invalid_grant",
                "error_description": "user has not approved this",
            }
        if "installations" in request.target:
            ends = self.place.clock.now + timedelta(hours=1)
            return 201, {"token": f"minted-{number}", "expires_at": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
        life = {} if "services" in request.target else {"expires_in": 3600}
        return 200, {
            "access_token": f"minted-{number}",
            "instance_url": "https://i.example",
            **life,
        }

    def _assertion(self, request: Received) -> str | None:
        if "installations" in request.target:
            assert json.loads(request.body) == {}
            assert request.headers["accept"] == "application/vnd.github+json"
            return request.headers["authorization"].removeprefix("Bearer ")
        sent = request.form
        if sent["grant_type"] == "account_credentials":
            assert sent == {"grant_type": "account_credentials", "account_id": "abc"}
            return None
        if sent["grant_type"] == "client_credentials":
            assert sent["client_assertion_type"].endswith("client-assertion-type:jwt-bearer")
            return sent["client_assertion"]
        assert sent["grant_type"] == BEARER
        return sent["assertion"]

    def _check(self, text: str, request: Received) -> None:
        read = JWS()
        read.deserialize(text, self.public)
        said = json.loads(read.payload)
        now = self.place.services.database.simulated_now or datetime.now(UTC)
        assert said["iat"] <= now.timestamp() < said["exp"], "clock"
        assert said["iss"] == ME, "issuer"
        audience = self.wanted.get("aud", f"{self.place.server.url}{request.target}")
        assert said["aud"] == audience, said["aud"]
        for name, value in self.wanted.items():
            assert said.get(name) == value, name
        assert said["jti"] not in {one["jti"] for one in self.seen}, "again"
        self.seen.append(said)


def told(kind: str) -> dict[str, Any]:
    """Returns the line that is handed over: names, and no token at all."""
    line = {**NAMES, "scopes": ["calendar", "mail"]}
    return {**line, "placeholders": KINDS[kind][2]} if KINDS[kind][2] else line


def verifying(opened: Opened, folder: Path, kind: str) -> tuple[Place, Verifier]:
    """Opens a place whose provider is of this kind, and whose server verifies."""
    entry, app, _, wanted, _ = KINDS[kind]
    private = RSA if kind in {"google", "box"} else pem(ec_key())
    (folder / "key").write_text(private)
    place = opened(entry, app)
    key = JWK.from_json(private) if private is RSA else JWK.from_pem(private.encode())
    verifier = Verifier(place, JWK.from_json(key.export_public()), wanted)
    place.server.reply = verifier
    return place, verifier


@pytest.mark.parametrize("kind", KINDS)
def test_a_grant_without_a_token_is_minted_and_minted_anew(
    opened: Opened, hand_over: Over, tmp_path: Path, kind: str
) -> None:
    """Handed over with nothing; a token within a minute, the next before its end, each proven anew."""
    place, verifier = verifying(opened, tmp_path, kind)
    assert hand_over(place, told(kind)) is None
    place.pass_time(60)
    assert place.tick()["refreshed"] == 1
    id_ = place.take({**NAMES, "name": "Ann"})
    row = place.row(id_)
    life = 7200 if kind == "salesforce" else 3600
    assert (row.expires_at - place.clock.now).total_seconds() == pytest.approx(life, abs=2)
    assert place.served(id_).access_token.reveal() == "minted-1"
    place.pass_time(life)
    assert place.tick()["refreshed"] == 1
    assert place.served(id_).access_token.reveal() == "minted-2"
    assert place.row(id_).refresh_token is None
    assert [asked.target for asked in place.server.asked] == [KINDS[kind][4]] * 2
    assert len(verifier.seen) == (0 if kind == "zoom" else 2)


def test_what_was_asked_for_stands_in_the_claims(opened: Opened, tmp_path: Path) -> None:
    """The scopes of the connection, joined; the key's name; a token that is wanted at once is had."""
    place, verifier = verifying(opened, tmp_path, "google")
    id_ = place.take(told("google"))
    assert place.served(id_).access_token.reveal() == "minted-1"  # nobody waits for a minute
    (said,) = verifier.seen
    assert (said["scope"], said["exp"] - said["iat"]) == ("calendar mail", 300)
    header = json.loads(base64url_decode(place.server.asked[0].form["assertion"].split(".")[0]))
    assert header == {"alg": "RS256", "typ": "JWT"}


def test_a_refusal_is_asked_once_more_and_goes_on_when_it_is_allowed(
    opened: Opened, tmp_path: Path
) -> None:
    """Each time with a new assertion; then it waits for a person, and is resumed without a token."""
    place, verifier = verifying(opened, tmp_path, "salesforce")
    verifier.refuses = True
    id_ = place.take(told("salesforce"))
    place.pass_time(60)
    place.tick()
    assert place.row(id_).status == "active"
    place.pass_time(10)
    place.tick()
    assert place.row(id_).status == "reconnect_required"
    assert len(verifier.seen) == 2
    verifier.refuses = False

    resume(place.services.database, whoever("test"), id_)
    assert place.tick()["refreshed"] == 1
    assert place.served(id_).kept_fields == {"instance_url": "https://i.example"}


def test_the_whole_way_at_the_command_line(
    opened: Opened, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app without its key waits and is told; with it, all that waits goes on by itself."""
    for name in ("DATABASE_URL", "REFRESHER_API_URL", "REFRESHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "key").write_text(RSA)
    place = opened(GOOGLE, "")
    place.services.database.simulated_now = None
    place.server.reply = Verifier(place, JWK.from_json(RSA), KINDS["google"][3])
    cli = Cli(tmp_path, guard.warm, dict(place.env))
    refused = cli("apps", "set", "acme", "--client-id", ME, "--no-secret")
    refused.refused("private_key is missing: requests to acme are signed with it")
    line = cli.file("lines.jsonl", [told("google")])
    assert cli("connections", "import", line, "--json").json["created"] == 1
    waits = cli("explain", "1042").stdout
    assert "It has no access token." in waits
    assert "app_not_configured" in waits
    key = ["--private-key-file", tmp_path / "key"]
    assert cli("apps", "set", "acme", "--client-id", ME, "--no-secret", *key).code == 0
    assert "It is refreshed next at" in cli("explain", "1042").stdout.replace(
        "It has been due since", "It is refreshed next at"
    )
    ran = cli("token", "1042", "--min-ttl", 60)
    assert ran.stdout.strip() == "minted-1", ran.stderr
    assert "Its access token is good until" in cli("explain", "1042").stdout
    findings = cli("doctor", "--json").json["findings"]
    assert [f for f in findings if f["check"] in {"parked", "apps"} and f["level"] != "ok"] == []
