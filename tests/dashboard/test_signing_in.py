"""Signing in and out: keys become sessions, which end, and lead back to where one was."""

from __future__ import annotations

import pytest

from refresher.rules.access import Scope
from tests.dashboard.kit import Person, read
from tests.web.kit import Site


def test_a_key_becomes_a_session(site: Site) -> None:
    """The cookie is the browser's alone, and the page greets the key by its name."""
    person = Person(site)
    answer = person.sign_in(site.new_key([Scope.READ]), "/ui/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/account")
    cookie = answer.headers.get_list("set-cookie")[0]
    assert cookie.startswith("refresher=")
    assert "; HttpOnly; SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert "You are signed in as test." in person.page("/ui/account").words


@pytest.mark.parametrize("path", ["/ui", "/ui/account?x=1"])
def test_who_is_not_signed_in_is_led_there_and_back(site: Site, path: str) -> None:
    """A page without a session leads to the sign-in, which leads back to it."""
    answer = Person(site).get(path)
    assert answer.status_code == 303
    page = Person(site).page(answer.headers["location"])
    wanted = "" if path == "/ui" else path
    assert dict(page.forms[0].fields)["next"] == wanted


def test_wrong_keys_are_told_apart(site: Site) -> None:
    """Unknown, expired, revoked, and one that may not read: each in a sentence of its own."""
    person = Person(site)
    assert "not known" in read(person.sign_in("rfr_nonsense")).words
    expired = site.new_key([Scope.READ], expires_in_seconds=-1)
    assert "has expired" in read(person.sign_in(expired)).words
    cannot = person.sign_in(site.new_key([Scope.TOKEN]))
    assert cannot.status_code == 403
    assert "may not read" in read(cannot).words
    assert not person.secret
