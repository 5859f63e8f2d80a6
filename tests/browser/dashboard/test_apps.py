"""Journey 9: an app is refused; a new secret is stored, those that waited go on, no answer has it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.browser.chromium import needs_chromium
from tests.browser.dashboard.kit import Dash, Someone
from tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Response

pytestmark = [pytest.mark.slow, needs_chromium]
SECRET = "canary-of-journey-9"
VERSIONS = "select credential_version as version from connection"
DUE = "update refresh_schedule set due_at = refresher_now() where state = 0"


def heard(person: Someone) -> list[str]:
    """Keeps the text of all that this browser is answered."""
    found: list[str] = []

    def keep(answer: Response) -> None:
        with suppress(Exception):  # a redirect has no body
            found.append(answer.text())

    person.context.on("response", keep)
    return found


def test_9_a_new_secret_lets_those_go_on_who_waited(dash: Dash, provider: FakeProvider) -> None:
    """Refused for two organizations; stored by its form; both are refreshed, and the pages say so."""
    waiting = [dash.connect(f"c{n}", organization_id=f"org-{n}") for n in (1, 2)]
    ann = dash.person()
    told, page = heard(ann), ann.page
    provider.admin.set_client_secret(SECRET, "fake-client")
    dash.deployment.run(DUE)
    ann.open("/ui/apps")
    wait_until(lambda: ann.sentence == "1 of 1 app is refused.", reason=lambda: ann.words)
    page.get_by_role("link", name="fake/default").click()
    assert ann.sentence.startswith("Acme Calendar refuses it: invalid_client")
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_role("button", name="Store fake/default").click()
    assert "Say what happens to the old secret." in ann.words
    assert page.get_by_label("Client secret").input_value() == ""
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_label("Forget it at once").check()
    page.get_by_role("button", name="Store fake/default").click()
    assert "fake/default is stored. Connections that waited for it go on" in ann.words
    wait_until(
        lambda: [row.version for row in dash.deployment.run(VERSIONS)] == [2] * len(waiting),
        reason=lambda: ann.words,
    )
    ann.open("/ui/apps")
    assert ann.sentence == "The app is taken."
    ann.open("/ui/providers/fake")
    assert "invalid_client" not in ann.sentence
    assert told
    assert not [text for text in told if SECRET in text]
