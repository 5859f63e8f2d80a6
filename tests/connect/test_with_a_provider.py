"""A consent from the URL to the first refresh, with a real server on the other side."""

from __future__ import annotations

import asyncio
import secrets
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from refresher.connections import arrival
from refresher.connections.parties import party_of
from refresher.rules.authorize import Asking, asked_scopes, authorize_url, code_url
from refresher.rules.connect import Finish, Flow, Kind, Outcome, hashed
from refresher.rules.connect_steps import SendCode
from refresher.rules.connection import Secret
from refresher.store import connect, connect_attempts, connect_steps
from refresher.store.connect import NewSession
from refresher.store.connect_attempts import NewAttempt
from refresher.testing.sandbox import Sandbox
from tests import loopback

BACK = "http://127.0.0.1:8000/connect/callback/fake"


def consented(sandbox: Sandbox, external_id: str = "ann") -> SendCode:
    """Returns the callback of a person who was sent to the provider and allowed it."""
    session_id, attempt_id = uuid4(), uuid4()
    new = NewSession(
        session_id, hashed(str(session_id)), Kind.NEW, Flow.REDIRECT, Finish.PAGE, "test", "fake",
        "default", "cli:ann", 900.0, external_id=external_id,
    )  # fmt: skip
    with sandbox.services.database.transaction() as db:
        session = connect.insert(db, new)
    party = party_of(sandbox.services, session, None)
    state, verifier, nonce = (Secret(secrets.token_urlsafe(32)) for _ in range(3))
    scopes = asked_scopes(party.provider, ("read",))
    asking = Asking(BACK, state, verifier, nonce, scopes, hint=external_id)
    callback = loopback.get(authorize_url(party, asking)).headers["location"]
    begun = NewAttempt(
        attempt_id, hashed(state.reveal()), session_id, b"cookie", "fake", BACK, code_url(party),
        scopes=scopes, nonce_hash=hashed(nonce.reveal()),
        verifier=sandbox.services.cipher.seal(verifier, attempt_id, "verifier"),
    )  # fmt: skip
    with sandbox.services.database.transaction() as db:
        attempt = connect_attempts.begin(db, begun)
        assert connect_steps.enter_exchanging(db, session, attempt)
    pairs = parse_qsl(urlsplit(callback).query)
    return SendCode(session, attempt, Secret(dict(pairs)["code"]), pairs)


def test_a_consent_becomes_a_connection_that_is_refreshed(refresher_sandbox: Sandbox) -> None:
    """With the account of a signed id_token; the code was sent once, and the pair lives."""
    sandbox = refresher_sandbox
    assert sandbox.provider is not None
    ticket = consented(sandbox)
    asyncio.run(arrival.carry(sandbox.services, ticket))
    with sandbox.services.database.reading() as db:
        after = connect.find(db, ticket.session.id)
    assert after is not None
    assert (after.outcome, after.trouble) == (Outcome.CONNECTED, None)
    assert after.result is not None
    assert (after.result.account, after.result.account_label) == ("ann", "ann@fake.example")
    assert after.connection_id is not None
    before = sandbox.tokens(after.connection_id)
    sandbox.clock.advance(3_600)
    sandbox.tick()
    assert sandbox.tokens(after.connection_id) != before
    totals = sandbox.provider.admin.summary()
    assert (totals.code_requests, totals.codes_exchanged) == (1, 1)
