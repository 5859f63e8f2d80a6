"""Keys that are none: looked up few at a time, beside the others, and counted in the audit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from refresher.rules.access import Scope
from refresher.rules.limits import Allowance
from refresher.web import auth
from tests.waiting import wait_until
from tests.web.kit import Site, refused


def made_up(number: int) -> str:
    """Returns a key that nobody made."""
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    id_ = "".join(letters[number // 32**place % 32] for place in range(12))
    return f"rfr_{id_}_{'s' * 43}"


@pytest.fixture
def ten_strangers(site: Site, monkeypatch: pytest.MonkeyPatch) -> Allowance:
    """Ten keys that were never shown may be tried, and no more: no time passes for them."""
    monkeypatch.setattr(auth, "time", SimpleNamespace(monotonic=lambda: 0.0))
    allowance = site.api.state.lookups._allowance
    allowance.rate, allowance.left, allowance.counted_at = 10.0, 10.0, 0.0
    return allowance


def test_made_up_keys_are_looked_up_a_few_at_a_time(site: Site, ten_strangers: Allowance) -> None:
    """Beyond their rate they are 429 without a query; a key that is known goes on, also a wrong one."""
    assert site("GET", "/v1/whoami").status_code == 200
    statuses = [site("GET", "/v1/whoami", key=made_up(n)).status_code for n in range(15)]
    assert statuses == [401] * 10 + [429] * 5
    site.api.state.lookups.keyring._keys[site.key.split("_")[1]] = _old(site)
    assert site("GET", "/v1/whoami").status_code == 200
    assert site("GET", "/v1/whoami", key=site.key[:-43] + "w" * 43).status_code == 401


def _old(site: Site) -> Any:
    """Returns what is remembered of the site's key, too old to count."""
    seen = site.api.state.lookups.keyring._keys[site.key.split("_")[1]]
    return type(seen)(seen.key, seen.database_now, seen.seen_at - 60)


def test_a_new_key_that_is_one_uses_nothing_up(site: Site, ten_strangers: Allowance) -> None:
    """Many keys that are shown for the first time are all looked up."""
    keys = [site.new_key() for _ in range(15)]
    assert {site("GET", "/v1/whoami", key=key).status_code for key in keys} == {200}
    assert ten_strangers.left == 10.0


def test_made_up_keys_push_no_key_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of keys and of made-up ids are two memories, each with its limit."""
    monkeypatch.setattr("refresher.connections.api_keys.MOST_REMEMBERED", 3)
    assert site("GET", "/v1/whoami").status_code == 200
    for number in range(8):
        refused(site("GET", "/v1/whoami", key=made_up(number)), 401, "unauthorized")
    keyring = site.api.state.lookups.keyring
    assert keyring.knows(site.key.split("_")[1])
    assert len(keyring._none) == 3


def test_of_many_requests_with_one_key_one_is_looked_up(site: Site) -> None:
    """Who shows the same id at the same time shares the query, each with its own secret's verdict."""
    calls: list[str] = []
    keyring = site.api.state.lookups.keyring
    find = keyring.look_up
    keyring.look_up = lambda shown: (calls.append(shown.id), time.sleep(0.05), find(shown))[2]  # type: ignore[method-assign,func-returns-value]
    wrong = site.key[:-43] + "w" * 43

    async def all_at_once() -> Sequence[int]:
        asked = [site.send("GET", "/v1/whoami", key=k) for k in [site.key, wrong] * 10]
        return [answer.status_code for answer in await asyncio.gather(*asked)]

    assert site.run(all_at_once()) == [200, 401] * 10
    assert len(calls) == 1


def test_refusals_stand_in_the_audit_counted(site: Site) -> None:
    """Strangers share one line, a key has its own for each kind of refusal; no secret is in any."""
    reader = site.new_key([Scope.READ], "org")
    id_ = reader.split("_")[1]
    for number in range(5):
        site("GET", "/v1/whoami", key=made_up(number))
    site("GET", "/v1/whoami", key=None)
    for _ in range(3):
        site("POST", "/v1/webhooks", key=reader, json={})
    site("GET", "/v1/whoami", key=reader[:-43] + "w" * 43)
    writer = site.new_key(organization_id="org")
    line = {"provider": "acme", "external_id": "x", "organization_id": "other"}
    site("PUT", "/v1/connections", key=writer, json=line)

    site.api.state.refusals.write(site.api.state.refusals.take())

    rows = site.world.rows("select key_id, subject, count from audit where action = 'refused'")
    assert {(row.key_id, row.subject): row.count for row in rows} == {
        ("unknown", "401 unknown"): 5,
        ("unknown", "401 no key"): 1,
        (id_, "403 needs write"): 3,
        (id_, "401 unknown"): 1,
        (writer.split("_")[1], "403 organization_mismatch"): 1,
    }


def test_refusals_are_written_although_nobody_asks_any_more(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last ones do not wait for a next request."""
    site.api.state.refusals._every = 0.01
    site("GET", "/v1/whoami", key=None)
    wait_until(lambda: site.world.rows("select * from audit where action = 'refused'"))
