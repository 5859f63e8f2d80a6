"""Journey 8: choose two; all that match; preview; what comes later; stop; a restart on the way."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from refresher.connections import bulk
from refresher.store.bulk import Job
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import BY, Dash, Someone
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_chromium]
MANY = 3_000
COPIES = """
    with made as (
        insert into connection (id, organization_id, provider, external_id, expires_at)
        select gen_random_uuid(), 'many', 'fake', 'many-' || n, now() + interval '1 day'
        from generate_series(1, :number) n returning id
    )
    insert into refresh_schedule (connection_id, provider, due_at)
    select id, 'fake', now() + interval '1 day' from made
    """


def word(dash: Dash, id_: UUID) -> str:
    """How a connection stands."""
    return str(dash.deployment.api("GET", f"/v1/connections/{id_}")["health"])


def newest(dash: Dash) -> Job:
    """The last job that was begun."""
    return bulk.recent(dash.deployment.services.database, BY, limit=1)[0]


@pytest.mark.parametrize("with_script", [True, False])
def test_8_bulk(dash: Dash, with_script: bool) -> None:
    """The whole way, also without JavaScript (journey 15)."""
    own = f"org-{with_script}"
    one, two, three = (dash.connect(f"{own}-{n}", own) for n in range(3))
    ann = dash.person(java_script_enabled=with_script)
    page = ann.open(f"/ui/connections?organization={own}")
    # Two of them, by their boxes
    for chosen in (one, two):
        page.get_by_label(f"Choose {chosen.external_id}").check()
    page.get_by_role("button", name="Pause", exact=True).click()
    assert (ann.heading, ann.sentence) == (
        "Pause 2 connections?",
        "None of them is refreshed until it is resumed.",
    )
    page.get_by_role("button", name="Pause 2 connections").click()
    page.wait_for_url(f"{dash.url}/ui/bulk/*")
    told(ann, "Done: 2 paused.", with_script)
    assert [word(dash, c.id) for c in (one, two, three)] == ["paused", "paused", "fresh"]
    # All that match; one that comes later is not among them
    page = ann.open(f"/ui/bulk?do=resume&health=paused&organization={own}")
    assert ann.heading == "Resume 2 connections?"
    dash.deployment.api("POST", f"/v1/connections/{three.id}/pause")
    page.get_by_role("button", name="Resume 2 connections").click()
    page.wait_for_url(f"{dash.url}/ui/bulk/*")
    told(ann, "Done: 2 resumed", with_script)
    assert word(dash, three.id) == "paused"
    assert "paused" not in {word(dash, c.id) for c in (one, two)}
    # What cannot be undone wants the number
    page = ann.open(f"/ui/bulk?do=delete&id={three.id}")
    page.get_by_label("Type the number, 1").fill("2")
    page.get_by_role("button", name="Delete 1 connection").click()
    assert "Nothing was begun: the number is another one: it is 1 now." in ann.words
    page.get_by_label("Type the number, 1").fill("1")
    page.get_by_role("button", name="Delete 1 connection").click()
    page.wait_for_url(f"{dash.url}/ui/bulk/*")
    told(ann, "Done: 1 deleted.", with_script)


def test_8_a_restart_and_a_stop_on_the_way(dash: Dash) -> None:
    """The bar goes on where it stood; a stopped job leaves the rest as it was."""
    deployment = dash.deployment
    with deployment.services.database.transaction() as db:
        db.execute(text(COPIES), {"number": MANY})
    ann = dash.person()
    page = ann.open("/ui/bulk?do=refresh&organization=many")
    assert ann.heading == "Refresh 3,000 connections?"
    page.get_by_role("button", name="Refresh 3,000 connections").click()
    page.wait_for_url(f"{dash.url}/ui/bulk/*")
    wait_until(lambda: newest(dash).done > 0, 60)
    deployment.scheduler.kill()
    before = newest(dash).done
    nowhere = {**deployment.environment, "PORT": "0"}
    deployment.scheduler = deployment.spawn("-m", "refresher.scheduler", env=nowhere)
    wait_until(lambda: newest(dash).done > before, 60)
    page.get_by_role("button", name="Stop").click()
    page.locator(".verdict h2", has_text="Stopped: by API key").wait_for(timeout=60_000)
    stopped = newest(dash)
    assert 0 < stopped.done < MANY
    assert "left as they were" in ann.words
    ann.open("/ui/bulk")
    assert ann.sentence == "No bulk job is under way."


def told(someone: Someone, sentence: str, with_script: bool) -> None:
    """Waits until the open page says so: by itself where it has a script, else reloaded."""
    heading = someone.page.locator(".verdict h2", has_text=sentence)
    if with_script:
        heading.wait_for(timeout=60_000)
    else:
        wait_until(lambda: bool(someone.page.reload()) and heading.is_visible(), 60)
