"""From a link to a connection and back, as browsers go there."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from refresher.connections import connect
from refresher.devkit.browser import Blocked
from refresher.rules.connect import Outcome, State
from tests.web.connect.stage import ACTOR, RETURN_URL, VERIFIER, Stage

BUTTON = "Continue to Fake"


def told(url: str) -> dict[str, str]:
    """What an application is told by its return URL."""
    assert url.startswith(f"{RETURN_URL}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_person_connects_by_one_button(stage: Stage) -> None:
    """The page says who asks, for whom and what for; a click later it is connected."""
    session, url = stage.link()
    with stage.browser("eve") as eve:
        page = eve.open(url)
        for words in (
            "Connect Fake",
            "Acme asks",
            "Ann, of Acme",
            "read your letters",
            "never here",
        ):
            assert words in page.words
        page = eve.submit(BUTTON)
    assert page.url == f"{stage.url}/connect/result/{session.id}"
    assert "Fake is connected" in page.words
    assert "eve@fake.example" in page.words
    ended = stage.now(session)
    assert (ended.state, ended.outcome) == (State.ENDED, Outcome.CONNECTED)


def test_who_has_a_return_url_is_led_back(stage: Stage) -> None:
    """With the session and how it went; never a token, never the account."""
    session, url = stage.link(return_url=f"{RETURN_URL}?tab=2")
    with stage.browser("bob") as bob:
        bob.open(url)
        page = bob.submit(BUTTON, until=RETURN_URL)
    assert told(page.next_url or "") == {
        "tab": "2",
        "connect_session": str(session.id),
        "connect_status": "connected",
    }


def test_looking_changes_nothing(stage: Stage) -> None:
    """T7: scanners GET, HEAD and prefetch, of the link and of the callback."""
    session, url = stage.link()
    before = stage.now(session)
    for _ in range(8):
        assert stage.ask("GET", url).status_code == 200
        assert stage.ask("HEAD", url).status_code == 200
    with stage.browser() as ann:
        assert ann.prefetch(url).status == 200
        ann.open(url)
        page = ann.submit(BUTTON, until="/connect/callback")
        assert page.next_url is not None
        assert ann.prefetch(page.next_url).status == 204
        assert ann.prefetch(page.next_url, "HEAD").status == 204
        assert stage.now(session).attempts == before.attempts + 1
        assert "is connected" in ann.go_on().words


def test_the_application_has_the_last_word(stage: Stage) -> None:
    """C9: no page of ours between; nothing is connected before code and verifier."""
    session, url = stage.link(confirms=True)
    with stage.browser("ida") as ida:
        page = ida.open(url, until=RETURN_URL)
        assert page.text == ""
    answer = told(page.next_url or "")
    assert answer["connect_status"] == "confirm"
    assert stage.now(session).state is State.HELD
    with pytest.raises(connect.ConnectRefused, match="verifier"):
        connect.complete(stage.services, session.id, answer["connect_code"], "w" * 43, ACTOR)
    assert stage.now(session).state is State.HELD
    connect.complete(stage.services, session.id, answer["connect_code"], VERIFIER, ACTOR)
    assert stage.now(session).outcome is Outcome.CONNECTED


def test_a_hop_is_none_in_a_frame_or_ahead(stage: Stage) -> None:
    """Who only looks, or frames it, begins nothing."""
    session, url = stage.link(confirms=True)
    with stage.browser() as ann:
        assert ann.prefetch(url).status == 200
        with pytest.raises(Blocked):
            ann.frame("https://evil.example/", url)
    assert stage.ask("HEAD", url).status_code == 200
    assert stage.now(session).attempts == 0


def test_only_our_own_form_begins(stage: Stage) -> None:
    """T8: a form of another site is refused, also from a browser that says little; frames are."""
    session, url = stage.link()
    with stage.browser() as ann:
        page = ann.post_from("https://evil.example/", f"{url}/start")
        assert (page.status, "sent by another page" in page.words) == (403, True)
        with pytest.raises(Blocked):
            ann.frame("https://evil.example/", url)
    assert stage.ask("POST", f"{url}/start").status_code == 403
    assert stage.now(session).attempts == 0


def test_a_callback_in_another_browser_sends_nothing(stage: Stage) -> None:
    """T1: the victim's browser has no cookie of the attacker's attempt."""
    session, url = stage.link()
    before = stage.sent_codes
    with stage.browser("mallory") as attacker, stage.browser("victim") as victim:
        attacker.open(url)
        page = attacker.submit(BUTTON, until="/connect/callback")
        seen = victim.open(page.next_url or "")
        assert (seen.status, "another browser" in seen.words) == (403, True)
        assert stage.sent_codes == before
        assert victim.open(f"{stage.url}/connect/result/{session.id}").status == 404
        assert "is connected" in attacker.go_on().words


def test_a_made_up_state_is_told_nothing(stage: Stage) -> None:
    """T2: unknown, absent, twice: a page, and no request."""
    before = stage.sent_codes
    for query in ("code=x&state=" + "s" * 43, "code=x", "", "state=a&state=b&code=x", "a=" * 600):
        answer = stage.ask("GET", f"{stage.url}/connect/callback/fake?{query}")
        assert answer.status_code == 400
        assert "could not be used" in answer.text
    assert stage.sent_codes == before


def test_a_callback_that_comes_again_is_shown_its_result(stage: Stage) -> None:
    """T5, T10: reload, back button, a double callback: one code, the same page."""
    _, url = stage.link()
    before = stage.sent_codes
    with stage.browser("gil") as gil:
        gil.open(url)
        callback = gil.submit(BUTTON, until="/connect/callback").next_url or ""
        assert "is connected" in gil.go_on().words
        assert "is connected" in gil.open(callback).words
        assert "is connected" in gil.reload().words
        page = gil.open(url)
        assert (page.status, "is connected already" in page.words) == (410, True)
    assert stage.sent_codes == before + 1


def test_two_tabs_both_to_the_end(stage: Stage) -> None:
    """T9: the first wins; the second's code is not sent, and its page says that it is connected."""
    _, url = stage.link()
    before = stage.sent_codes
    with stage.browser("tim") as tim:
        tim.open(url)
        one = tim.submit(BUTTON, until="/connect/callback").next_url or ""
        tim.open(url)
        other = tim.submit(BUTTON, until="/connect/callback").next_url or ""
        assert "is connected" in tim.open(one).words
        assert "is connected" in tim.open(other).words
    assert stage.sent_codes == before + 1


def test_back_from_the_provider_is_the_start_page(stage: Stage) -> None:
    """T10: it can be used again."""
    _, url = stage.link()
    with stage.browser("uma") as uma:
        uma.open(url)
        uma.submit(BUTTON, until="/authorize")
        page = uma.open(url)
        assert "Connect Fake" in page.words
        assert "is connected" in uma.submit(BUTTON).words


@pytest.mark.parametrize(
    ("error", "words", "again"),
    [
        ("access_denied", "You did not allow it", "Try again"),
        ("temporarily_unavailable", "has trouble right now", "Try again"),
        ("invalid_scope", "is not set up correctly", None),
        ("interaction_required", "wants to ask you again", "Try again"),
        ("whatever<script>", "has trouble right now", "Try again"),
    ],
)
def test_an_error_of_the_provider_is_a_page(
    stage: Stage, error: str, words: str, again: str | None
) -> None:
    """T12: in our words, with a way on; nothing of the provider's."""
    session, url = stage.link(return_url=RETURN_URL)
    with stage.browser("sue") as sue:
        sue.open(url)
        back = sue.submit(BUTTON, until="/connect/callback").next_url or ""
        state = parse_qs(urlsplit(back).query)["state"][0]
        said = f"error={error}&error_description={'<b>secret</b>' * 200}&state={state}"
        page = sue.open(f"{stage.url}/connect/callback/fake?{said}")
        assert page.url == f"{stage.url}/connect/result/{session.id}"
        assert words in page.words
        assert "secret" not in page.text
        assert "<script" not in page.text
        assert "Back to Acme" in page.links
        assert [b[0] for f in page.forms for b in f.buttons] == ([again] if again else [])
        if again:
            assert "connect_status=connected" in (
                sue.submit(again, until=RETURN_URL).next_url or ""
            )
