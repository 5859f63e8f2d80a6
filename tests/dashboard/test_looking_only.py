"""Who may only look sees no button of a deed anywhere, and no link to one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from refresher.rules.access import Scope
from refresher.web.dashboard.app import OF_THE_SESSION
from tests.dashboard.kit import Person, read
from tests.dashboard.things import LIVE, ORGANIZATION, Things
from tests.web.kit import Site

OWN = {*OF_THE_SESSION, "/ui/account/sessions"}
"""What everybody may send: it is about one's own session."""
PEOPLE: dict[str, Callable[[Site], Person]] = {
    "only looks": lambda site: Person.signed_in(site, read_only=True),
    "may read": lambda site: Person.signed_in(site, [Scope.READ]),
    "may read one's own": lambda site: Person.signed_in(site, [Scope.READ], ORGANIZATION),
}
DEEDS = [route for route in LIVE if route.scope is not Scope.READ]


@pytest.fixture(scope="module")
def things(shared: Site) -> Things:
    """What pages are about, once for all."""
    return Things(shared)


@pytest.mark.parametrize("who", PEOPLE)
def test_no_button_and_no_link_to_a_deed(shared: Site, things: Things, who: str) -> None:
    """On every page that such a session may see."""
    person, wrong = PEOPLE[who](shared), []
    for route in LIVE:
        path = things.path(route)
        answer = person.get(path)
        if answer.status_code != 200:
            continue
        page = read(answer)
        wrong += [
            f"{path}: a form for {form.action}"
            for form in page.forms
            if form.method == "post" and form.action not in OWN
        ]
        targets = [link.removeprefix(person.origin) for link in page.links.values()]
        wrong += [
            f"{path}: a link to {target}"
            for target in targets
            if "?do=" in target
            or any(deed.parts(re.split("[?#]", target)[0]) is not None for deed in DEEDS)
        ]
    assert wrong == []
