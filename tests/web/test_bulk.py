"""Bulk jobs over the API: previewed, begun once, followed, stopped, refused in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.connections import bulk_work
from refresher.rules.access import Scope
from tests.web.kit import Site, refused

BULK = "/v1/bulk"
CHOSEN = {"deed": "pause", "provider": "paced"}


@pytest.fixture
def three(shared: Site) -> list[str]:
    """Three connections of a provider of their own, none of them paused."""
    ids = [str(shared.world.connect(f"bulk-{n}", provider="paced")) for n in range(3)]
    for id_ in ids:
        shared("POST", f"/v1/connections/{id_}/resume")
    return ids


def preview(site: Site, **given: Any) -> dict[str, Any]:
    """What would be done."""
    answer = site("POST", f"{BULK}/preview", json={**CHOSEN, **given})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def work_off(site: Site, job_id: int) -> None:
    """Works a job off, as the scheduler does."""
    services = site.world.services
    while bulk_work.work(services.database, services.catalogue, job_id):
        pass


def test_a_preview_says_what_its_plan_does(shared: Site, three: list[str]) -> None:
    """Number, sum, sample, words; the plan is one job however often it is sent."""
    seen = preview(shared)
    assert (seen["number"], seen["providers"], seen["left_out"]) == (3, {"paced": 3}, [])
    assert (seen["title"], seen["command"]) == ("Pause 3 connections", None)
    assert sorted(row["id"] for row in seen["sample"]) == sorted(three)
    made = [shared("POST", BULK, json={"plan": seen["plan"]}) for _ in range(2)]
    assert [one.status_code for one in made] == [201, 201]
    assert made[0].json()["id"] == made[1].json()["id"]
    work_off(shared, made[0].json()["id"])
    job = shared("GET", f"{BULK}/{made[0].json()['id']}").json()
    assert (job["state"], job["done"], job["told"]) == ("done", 3, "Done: 3 paused.")
    assert shared("GET", f"{BULK}?limit=1").json()["items"][0] == job
    shown = shared("GET", f"/v1/connections/{three[0]}").json()
    assert shown["parked_reason"] == "paused"
    told = preview(shared)["left_out"]
    assert told == [{"reason": "already", "number": 3, "told": "they are paused already"}]


def test_an_order_without_a_plan_needs_its_number(shared: Site, three: list[str]) -> None:
    """Another number, or none, begins nothing; an Idempotency-Key makes one job of two."""
    given: dict[str, Any] = {**CHOSEN, "ids": three[:2]}
    refused(shared("POST", BULK, json=given), 422, "invalid_body")
    answer = shared("POST", BULK, json={**given, "number": 3})
    refused(answer, 409, "bulk_refused")
    assert (answer.json()["reason"], "it is 2 now" in answer.text) == ("wrong_number", True)
    given["number"], once = 2, {"idempotency-key": "two"}
    made = [shared("POST", BULK, json=given, headers=once).json() for _ in range(2)]
    assert made[0] == made[1]
    assert made[0]["selection"] == {"ids": three[:2]}
    stopped = shared("POST", f"{BULK}/{made[0]['id']}/stop").json()
    assert (stopped["state"], stopped["done"]) == ("stopped", 0)
    assert stopped["why"] == f"by API key {stopped['made_by']}"


def test_a_plan_of_another_key_is_none(shared: Site, three: list[str]) -> None:
    """Nor is one that was changed; nothing is done for a filter that nothing matches."""
    plan = preview(shared)["plan"]
    other = shared.new_key([Scope.WRITE])
    answer = shared("POST", BULK, json={"plan": plan}, key=other)
    refused(answer, 409, "bulk_refused")
    assert answer.json()["reason"] == "anothers"
    answer = shared("POST", BULK, json={"plan": plan[:-4]})
    assert (answer.status_code, answer.json()["reason"]) == (409, "invalid")
    none = {"deed": "delete", "provider": "nobody", "number": 0}
    answer = shared("POST", BULK, json=none)
    assert (answer.status_code, answer.json()["reason"]) == (409, "nobody")


def test_a_bound_key_has_its_own(shared: Site, three: list[str]) -> None:
    """Its organization's connections and jobs; another organization is refused by name."""
    bound = shared.new_key([Scope.READ, Scope.WRITE], "other-org")
    seen = shared("POST", f"{BULK}/preview", json={**CHOSEN, "ids": three}, key=bound).json()
    assert (seen["number"], seen["left_out"][0]["reason"]) == (0, "gone")
    named = {**CHOSEN, "organization_id": "org"}
    refused(shared("POST", f"{BULK}/preview", json=named, key=bound), 403, "organization_mismatch")
    job = shared("POST", BULK, json={**CHOSEN, "number": 3}).json()
    refused(shared("GET", f"{BULK}/{job['id']}", key=bound), 404, "no_such_job")
    for path in ("0", "x", "1" * 30, "-1"):
        refused(shared("GET", f"{BULK}/{path}"), 404, "no_such_job")
    shared("POST", f"{BULK}/{job['id']}/stop")
