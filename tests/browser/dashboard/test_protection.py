"""Journeys 12 and 13: who only looks changes nothing, and neither does a page of another site."""

from __future__ import annotations

import pytest

from refresher.rules.access import Scope
from tests.browser.chromium import needs_chromium
from tests.browser.conftest import elsewhere
from tests.browser.dashboard.kit import Dash, Someone

pytestmark = [pytest.mark.slow, needs_chromium]
OWN = {"Sign out", "Keep"}
"""Buttons of forms that are about one's own session."""
MOST_PAGES = 40
POST = "path => fetch(path, {method: 'POST', body: new URLSearchParams()}).then(a => a.status)"
FORM = """([action, fields]) => {
    const form = document.createElement("form");
    Object.assign(form, {method: "post", action});
    for (const [name, value] of Object.entries(fields)) {
        form.append(Object.assign(document.createElement("input"), {name, value}));
    }
    document.body.append(form);
    form.submit();
}"""
LINK = """address => {
    const link = Object.assign(document.createElement("a"), {href: address, textContent: "go"});
    document.body.append(link);
    link.click();
}"""


@pytest.mark.parametrize("how", ["only look", "a key that may read", "a bound key"])
def test_12_who_only_looks(dash: Dash, how: str) -> None:
    """No button of a deed on any page, and what is sent all the same is refused."""
    of = dash.connect(f"looked-at-{how.replace(' ', '-')}", "looked-at")
    key = {
        "only look": dash.key(),
        "a key that may read": dash.key([Scope.READ]),
        "a bound key": dash.key([Scope.READ], "looked-at"),
    }[how]
    ann = dash.person(key, only_look=how == "only look")
    seen = pages_of(ann, of.path)
    assert of.path in seen
    assert len(seen) > 5
    buttons = {name for names in seen.values() for name in names}
    assert {name for name in buttons if name not in OWN and "session" not in name} == set()
    for deed in ("pause", "disable", "delete", "refresh", "link", "edit"):
        assert ann.page.evaluate(POST, f"{of.path}/{deed}") == 403
    assert ann.page.evaluate(POST, "/ui/bulk") == 403
    (row,) = dash.deployment.run("select paused_at from connection where id = :id", id=of.id)
    assert row.paused_at is None
    if how == "a bound key":
        assert not {"/ui/apps", "/ui/doctor", "/ui/keys"} & set(seen)
        other = dash.connect("not-theirs", "another")
        ann.open(other.path)
        assert ann.sentence == "There is nothing at this address."


def pages_of(person: Someone, *more: str) -> dict[str, list[str]]:
    """Follows links from page to page; returns the names of the buttons on each."""
    wanted, seen = [*more, "/ui"], dict[str, list[str]]()
    while wanted and len(seen) < MOST_PAGES:
        path = wanted.pop(0).partition("#")[0]
        if path in seen:
            continue
        page = person.open(path)
        found = page.locator(
            "form[method=post] :is(button, input[type=submit]), a.button[href*='?do=']"
        )
        seen[path] = [" ".join(one.inner_text().split()) for one in found.all()]
        links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
        wanted += [link for link in links if link.startswith("/ui") and "/ui/static" not in link]
    return seen


def test_13_forms_of_other_sites(dash: Dash) -> None:
    """One of another site has no cookie, one of the same machine is refused, both change nothing."""
    dash.allowed += [dash.fake.url, elsewhere(dash.fake)]
    ann = dash.person()
    fields = {"theme": "dark", "zone": "Asia/Tokyo"}
    target = f"{dash.url}/ui/account/look"
    for site, words in (
        (elsewhere(dash.fake), "Your session has ended: nothing was changed."),
        (dash.fake.url, "This form is of an earlier session, or of another site"),
    ):
        ann.page.goto(f"{site}/health")
        ann.page.evaluate(FORM, [target, fields])
        ann.page.wait_for_url(target)
        assert ann.sentence.startswith(words)
        assert "Asia/Tokyo" not in ann.words
    ann.open("/ui/account")
    assert ann.page.locator("html").get_attribute("data-theme") is None


@pytest.mark.parametrize("token", ["", "0" * 64, "of the session before"])
def test_13_missing_and_old_tokens(dash: Dash, token: str) -> None:
    """Nothing is done, and what was typed stays to be read."""
    ann = dash.person()
    page = ann.open("/ui/account")
    old = page.locator("form[action='/ui/account/look'] [name=csrf]").input_value()
    page.get_by_role("button", name="Sign out").click()
    ann.sign_in(dash.key())
    page = ann.open("/ui/account")
    given = old if token == "of the session before" else token
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    field = "form[action='/ui/account/look'] [name=csrf]"
    page.eval_on_selector(field, "(field, value) => { field.value = value; }", given)
    page.get_by_role("button", name="Keep").click()
    assert ann.sentence.startswith("This form is of an earlier session")
    assert "Asia/Tokyo" in ann.words
    page.get_by_role("link", name="Open it anew").click()
    assert page.get_by_label("Time zone").input_value() == "UTC"


def test_13_a_link_from_a_chat(dash: Dash) -> None:
    """Arrives signed in, with its whole address, though the cookie is Strict."""
    dash.allowed.append(elsewhere(dash.fake))
    ann = dash.person()
    ann.page.goto(f"{elsewhere(dash.fake)}/health")
    ann.page.evaluate(LINK, f"{dash.url}/ui/account?from=chat")
    ann.page.wait_for_url(f"{dash.url}/ui/account?from=chat")
    ann.page.wait_for_selector("h1")
    assert ann.heading == "Account"
    stranger = dash.stranger()
    stranger.page.goto(f"{elsewhere(dash.fake)}/health")
    stranger.page.evaluate(LINK, f"{dash.url}/ui/account")
    stranger.page.wait_for_url("**/ui/sign-in?next=/ui/account")
    assert stranger.heading == "Sign in"
