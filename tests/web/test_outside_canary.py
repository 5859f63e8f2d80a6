"""M10 for what comes from outside: tokens, links and secrets that were sent in are found nowhere."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from refresher.catalogue import Catalogue
from refresher.rules.connection import Secret
from refresher.store import connections
from tests.test_canary import _everything_in
from tests.web.kit import Site
from tests.web.test_signals import HMAC_SOURCE, notice, signature
from tests.world import PROVIDERS, World

ACCESS, REFRESH, HOOK = "canary-access-0001", "canary-refresh-0002", "hook-secret"


def test_nothing_that_was_sent_in_is_found(
    world: World, database_url: str, capsys: pytest.CaptureFixture[str]
):
    """Not in any table, answer or log line: a token is only sealed in its column, a link nowhere."""
    source = replace(HMAC_SOURCE, secret=Secret(HOOK))
    known = Catalogue({p.name: p for p in PROVIDERS}, {}, (), {"paced": source})
    world.services = replace(world.services, catalogue=known)
    one = world.connect(in_between_steps=True)
    tokens = {"access_token": ACCESS, "refresh_token": REFRESH, "expires_in": 3600}
    payload = {
        "tokens": tokens,
        "note": f"got {ACCESS} and {REFRESH}",
        ACCESS: [REFRESH],
        "client_secret": HOOK,
    }
    held = ""
    with Site.opened(world) as site:
        made = site("POST", f"/v1/connections/{one}/resume-link", json={}).json()
        wrong = {"tokens": {**tokens, "expires_in": ACCESS}, "note": REFRESH}
        for body in (wrong, payload, payload):
            held += site("POST", made["path"], key=None, json=body).text
        held += site("GET", made["path"], key=None).text
        sent = notice(note=ACCESS)
        signed = {"x-signature": signature(sent)}
        held += site("POST", "/v1/signals/paced", key=None, content=sent, headers=signed).text
        held += site("POST", "/v1/signals/paced", key=None, content=sent).text
        held += site("GET", f"/v1/connections/{one}/events").text
    with world.services.database.transaction() as db:
        held += repr(connections.show(db, one))
    with psycopg.connect(database_url.replace("+psycopg", "")) as plain:
        held += _everything_in(plain)
    held += "".join(capsys.readouterr())

    assert world.token(one) == ACCESS
    link = made["path"].rpartition("/")[2]
    assert '"resumed":true' in held, "the search looked at something"
    assert {secret for secret in (ACCESS, REFRESH, HOOK, link) if secret in held} == set()
