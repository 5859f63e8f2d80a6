"""Journeys 10 and 11: what was held and given up arrives; keys are made, shown once, revoked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from refresher.rules.access import Scope
from refresher.rules.notices import Kind
from refresher.store import outbox
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Dash, Someone
from tests.notify.webhooks.receiver import Receiver
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Who is told."""
    made = Receiver()
    yield made
    made.close()


def happen(dash: Dash, connection_id: UUID) -> None:
    """Has something happen to a connection that its organization is told of."""
    with dash.deployment.services.database.transaction() as db:
        outbox.append(db, [outbox.News(("connection", str(connection_id)), Kind.RECOVERED, {})])


def run(dash: Dash, sql: str) -> None:
    """Runs a statement."""
    with dash.deployment.services.database.transaction() as db:
        db.execute(text(sql))


def shows(ann: Someone, words: str) -> Callable[[], bool]:
    """Whether the page, loaded anew, says so."""

    def look() -> bool:
        ann.page.reload()
        return words in ann.words

    return look


def seen(ann: Someone, name: str) -> None:
    """Keeps a picture where PICTURES names a folder; nothing scrolls sideways at any width."""
    for width in (1440, 1024, 390, 320):
        ann.page.set_viewport_size({"width": width, "height": 900})
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert ann.page.evaluate(wide) <= 0, (name, width)
        if folder := os.environ.get("PICTURES"):
            ann.page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    ann.page.set_viewport_size({"width": 1440, "height": 900})


def test_10_held_and_given_up_messages_arrive(dash: Dash, receiver: Receiver) -> None:
    """An endpoint is added, disabled and enabled; then one message and all failed are sent again."""
    connection = dash.connect("10-telling")
    ann = dash.person()
    page = ann.open("/ui/webhooks")
    page.get_by_role("link", name="Add an endpoint").click()
    page.get_by_label("URL").fill(receiver.url)
    page.get_by_role("textbox", name="Organization").fill("acme")
    seen(ann, "endpoint-form")
    page.get_by_role("button", name="Add the endpoint").click()
    secret = page.locator("pre.once").inner_text()
    assert secret.startswith("whsec_")
    seen(ann, "secret")
    page.get_by_role("link", name="I have it").click()
    assert secret not in page.content()
    page.get_by_text("More").click()
    page.get_by_role("link", name="Disable it").click()
    seen(ann, "question")
    page.get_by_role("button", name="Disable this endpoint").click()
    happen(dash, connection.id)
    happen(dash, connection.id)
    wait_until(shows(ann, "2 messages are held for it"))
    seen(ann, "endpoint-disabled")
    page.get_by_role("button", name="Enable").click()
    wait_until(lambda: len(receiver.ids) == 2)
    wait_until(shows(ann, "Messages arrive."))
    run(dash, "update webhook_delivery set state = 4, reason = 'it answered 500'")
    page.get_by_role("link", name="Failed").click()
    seen(ann, "endpoint")
    page.get_by_role("button", name="Send again").first.click()
    assert "1 message is due again" in ann.words
    wait_until(lambda: len(receiver.ids) == 3)
    page.get_by_role("link", name="Send them again").click()
    seen(ann, "replay")
    page.get_by_role("button", name="Send 1 message again").click()
    wait_until(lambda: len(receiver.ids) == 4)
    assert sorted(receiver.ids) == sorted([*receiver.ids[:2], *receiver.ids[:2]])
    ann.open("/ui/webhooks")
    seen(ann, "webhooks")


def test_11_keys_are_made_shown_once_and_revoked(dash: Dash) -> None:
    """A key has no more scopes than its maker; revoked, it signs nobody in and ends its sessions."""
    ann = dash.person(dash.key([Scope.READ, Scope.ADMIN]))
    page = ann.open("/ui/keys/create")
    assert page.get_by_role("checkbox", name="write").count() == 0
    page.get_by_label("Name").fill("support")
    page.get_by_role("checkbox", name="read").check()
    seen(ann, "key-form")
    page.get_by_role("button", name="Make the key").click()
    key = page.locator("pre.once").inner_text()
    assert key.startswith("rfr_")
    seen(ann, "key-made")
    ben = dash.person(key)
    assert key not in ben.page.content()
    page.get_by_role("link", name="I have it").click()
    assert key not in page.content()
    seen(ann, "key")
    ann.open("/ui/keys")
    seen(ann, "keys")
    page.get_by_role("link", name="support").click()
    page.get_by_role("link", name="Revoke it").click()
    seen(ann, "key-revoke")
    page.get_by_role("button", name="Revoke this key").click()
    assert "support is revoked" in ann.words
    ben.page.wait_for_timeout(1_100)
    ben.page.reload()
    assert ben.sentence == "The API key of this session was revoked."
    ann.open("/ui/audit")
    assert "key revoked" in ann.words
    seen(ann, "audit")


def test_doctor_recipients_and_an_organization_at_every_width(dash: Dash) -> None:
    """Doctor says what it found; a recipient is told; an organization's page shows both."""
    connection = dash.connect("11-people", organization_id="acme & sons")
    ann = dash.person()
    page = ann.open("/ui/doctor")
    page.get_by_role("button", name="Look at everything").click()
    page.wait_for_selector("text=In order")
    seen(ann, "doctor")
    ann.open("/ui/recipients")
    page.get_by_label("Mail address").fill("ann@acme.example")
    page.get_by_role("textbox", name="Organization").last.fill("acme & sons")
    page.get_by_role("button", name="Tell this address").click()
    page.wait_for_selector("text=is told of the connections")
    assert "ann@acme.example is told of the connections of acme & sons." in ann.words
    seen(ann, "recipient")
    run(dash, "update recipient set blocked_at = now(), blocked_reason = '550 5.1.1 no such user'")
    ann.open("/ui/recipients")
    seen(ann, "recipients")
    page.get_by_role("link", name="acme & sons").first.click()
    assert "None of its 1 connection needs a person." in ann.words
    page.get_by_label("Name").fill("Acme & Sons")
    page.get_by_role("button", name="Keep it so").click()
    assert ann.heading == "Acme & Sons"
    seen(ann, "organization")
    assert connection.external_id
