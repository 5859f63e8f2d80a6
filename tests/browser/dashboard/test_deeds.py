"""Journeys 5 and 6: what is done to one connection, by the buttons on its page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Connected, Dash, Someone
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = [pytest.mark.slow, needs_chromium]
SCRIPT = pytest.mark.parametrize("with_script", [True, False])
"""Without JavaScript all of it works (journey 15)."""


def press(person: Someone, name: str) -> str:
    """Presses a button; returns what the next page says first about it."""
    person.page.get_by_role("button", name=name, exact=True).click()
    return said(person)


def said(person: Someone) -> str:
    """What a page says about the deed that led to it."""
    return str(person.page.locator("main > .verdict h2").first.inner_text())


def more(person: Someone, kind: str, name: str) -> None:
    """Opens the menu, and takes something of it."""
    person.page.get_by_text("More", exact=True).click()
    item = person.page.locator("details.menu")
    (item.get_by_role("link", name=name) if kind == "link" else button(item, name)).click()


def button(of: Locator, name: str) -> Locator:
    """A button by its name."""
    return of.get_by_role("button", name=name, exact=True)


def events(dash: Dash, of: Connected) -> list[dict[str, object]]:
    """What happened to a connection, the newest first."""
    found: list[dict[str, object]] = dash.deployment.api("GET", f"/v1/connections/{of.id}/events")[
        "items"
    ]
    return found


def kinds(dash: Dash, of: Connected) -> list[object]:
    """The kinds of that."""
    return [event["kind"] for event in events(dash, of)]


@SCRIPT
def test_5_refresh_now(dash: Dash, with_script: bool) -> None:
    """The attempt stands on top, its phases add up, and the page says how it ended."""
    of = dash.connect(f"now-{with_script}")
    ann = dash.person(java_script_enabled=with_script)
    ann.open(of.path)
    assert press(ann, "Refresh now") == "Refreshed: a fresh token is stored."
    if with_script:  # the sentence has the focus, though the address names a place further down
        ann.page.wait_for_function("document.activeElement.matches('main > .verdict')")
    newest = events(dash, of)[0]
    assert ann.path == f"{of.path}#e{newest['id']}"
    row = ann.page.locator("tr[id^=e]").first
    assert (row.get_attribute("id"), newest["kind"]) == (f"e{newest['id']}", "refreshed")
    assert "Refreshed" in row.inner_text()
    shown = re.findall(r"([\d,.]+) (ms|s)\b", row.locator(".p2 .small").first.inner_text())
    seconds = [float(n.replace(",", "")) * (0.001 if unit == "ms" else 1) for n, unit in shown]
    assert len(seconds) == 3
    whole = dash.deployment.run(
        "select extract(epoch from occurred_at - claimed_at) from refresh_event where id = :id",
        id=newest["id"],
    )[0][0]
    assert sum(seconds) == pytest.approx(float(whole), abs=0.1)


def test_5_a_provider_that_takes_long(dash: Dash) -> None:
    """Nobody waits longer than 10 s; what came of it appears on the open page."""
    of, ann = dash.connect("long"), dash.person()
    ann.open(of.path)
    dash.fake.admin.add_fault("slow", count=1, seconds=15)
    told = press(ann, "Refresh now")
    assert "takes longer than 10 s. It goes on by itself and nothing is lost" in told
    ann.page.locator("tr[id^=e]").filter(has_text="Refreshed").first.wait_for()
    assert kinds(dash, of)[0] == "refreshed"


@SCRIPT
def test_5_a_grant_that_is_dead(dash: Dash, with_script: bool) -> None:
    """The page says what invalid_grant means, and offers what helps."""
    of = dash.connect(f"dead-{with_script}")
    dash.fake.admin.revoke(of.account)
    ann = dash.person(java_script_enabled=with_script)
    ann.open(of.path)
    told = press(ann, "Refresh now")
    assert told.startswith("Acme Calendar has ended the grant (invalid_grant")
    assert "the account has to be connected again" in told
    assert "Reconnect required" in ann.words
    assert button(ann.page.locator(".acts"), "Make a reconnect link").is_visible()
    dead = kinds(dash, of).count("revoked")
    told = press(ann, "Try the stored tokens once")
    assert "is tried once more, with the tokens it has" in told
    wait_until(
        lambda: kinds(dash, of).count("revoked") == dead + 1,
        reason=lambda: str(events(dash, of)[:3]),
    )


def _come_to_rest(person: Someone, of: Connected) -> None:
    """Waits until nothing is due of a connection, and opens it: a refresh changes its row, too."""
    sql = """
        select 1 from refresh_schedule
        where connection_id = :id and state = 0 and due_at > refresher_now()
        """
    wait_until(lambda: person.dash.deployment.run(sql, id=of.id))
    person.open(of.path)


@SCRIPT
def test_6_the_life_of_a_connection(dash: Dash, with_script: bool) -> None:
    """Pause, resume, disable, enable, change, delete: each says what it did; the audit says who."""
    name = f"life-{with_script}"
    of, ann = dash.connect(name), dash.person(java_script_enabled=with_script)
    page = ann.open(of.path)
    assert press(ann, "Pause").startswith(f"{name} is paused: it keeps its tokens")
    assert press(ann, "Resume") == f"{name} is resumed."
    _come_to_rest(ann, of)
    more(ann, "link", "Disable")
    assert ann.heading == f"Disable {name}?"
    assert press(ann, "Disable this connection").startswith(f"{name} is disabled")
    assert press(ann, "Enable") == f"{name} is enabled."
    _come_to_rest(ann, of)
    more(ann, "link", "Change name or metadata")
    page.locator("input[name=name]").fill("Their inbox")
    page.locator("textarea[name=metadata]").fill('{"team": 7')
    assert press(ann, "Save the changes") == "Nothing was changed: the metadata is no JSON, line 1."
    assert page.locator("input[name=name]").input_value() == "Their inbox"
    page.locator("textarea[name=metadata]").fill('{"team": 7}')
    assert press(ann, "Save the changes") == "Their inbox is changed."
    assert (ann.heading, '{"team": 7}' in ann.words) == ("Their inbox", True)
    more(ann, "link", "Delete")
    page.get_by_label("Type the external id").fill("life")
    assert press(ann, "Delete this connection").startswith("Nothing was deleted")
    page.get_by_label("Type the external id").fill(name)
    assert press(ann, "Delete this connection").startswith("Their inbox is deleted")
    assert "Deleted" in ann.words
    assert page.locator(".head .acts button").count() == 0
    sql = "select action from audit where connection_id = :id order by id"
    done = [row[0] for row in dash.deployment.run(sql, id=of.id)]
    assert done[-6:] == ["paused", "resumed", "disabled", "enabled", "changed", "deleted"]


def test_6_a_double_click_does_it_once(dash: Dash) -> None:
    """Each deed once, whatever the finger does; and the second click shows what the first did."""
    of, ann = dash.connect("double"), dash.person()
    page = ann.open(of.path)
    page.get_by_role("button", name="Pause", exact=True).dblclick()
    page.get_by_text("double is paused").wait_for()
    page.get_by_role("button", name="Resume", exact=True).dblclick()
    page.get_by_text("double is resumed").wait_for()
    page.get_by_role("button", name="Refresh now", exact=True).dblclick()
    page.get_by_text("a fresh token is stored").wait_for()
    for kind in ("paused", "resumed"):
        assert kinds(dash, of).count(kind) == 1
    audit = "select count(*) from audit where connection_id = :id and action = 'refresh_asked'"
    assert dash.deployment.run(audit, id=of.id)[0][0] == 1


@SCRIPT
def test_6_a_row_that_changed_is_looked_at_again(dash: Dash, with_script: bool) -> None:
    """What was asked on an old page is not done: it is shown anew, and asked again."""
    of = dash.connect(f"old-{with_script}")
    ann = dash.person(java_script_enabled=with_script)
    ann.open(f"{of.path}/disable")
    dash.deployment.api("POST", f"/v1/connections/{of.id}/pause")
    assert "changed meanwhile, and nothing was done" in press(ann, "Disable this connection")
    assert "Paused" in ann.words
    assert "disabled" not in kinds(dash, of)
    assert "is disabled" in press(ann, "Disable this connection")
    dash.deployment.api("DELETE", f"/v1/connections/{of.id}")
    ann.open(f"{of.path}/enable")
    assert "it is deleted" in ann.words
