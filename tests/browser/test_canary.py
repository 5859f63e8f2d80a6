"""What opens a consent, or comes of one, is found nowhere but where it belongs (T22 of the design).

What the other tests do is done here once more, in short; then every table, every log, the browser's
history and each Referer are searched for every secret that there was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.browser.chromium import Profile, needs_browser
from tests.browser.conftest import Site
from tests.browser.verifier import Verifier

pytestmark = [pytest.mark.slow, needs_browser]
SECRET_PARAMETERS = ("state", "code", "connect_code", "nonce", "code_verifier")


def of_query(url: str) -> dict[str, str]:
    """Returns the parameters of a URL that are secrets."""
    return {k: v for k, v in parse_qsl(urlsplit(url).query) if k in SECRET_PARAMETERS}


def secrets_of(session: Mapping[str, Any], profile: Profile) -> Iterator[str]:
    """Yields what a session and a browser that went through it have seen."""
    yield session["url"].rpartition("/")[2]
    for url in profile.asked():
        yield from of_query(url).values()
    for name, value in profile.cookies().items():
        if "rfc-" in name:
            yield value


def test_no_secret_is_found_anywhere(site: Site) -> None:
    """Connected, refused, with a wrong account, by the application: nothing is left lying."""
    deployment, verifier = site.deployment, Verifier()
    connected, ann = deployment.session(external_id="c1"), site.person("ann")
    ann.connect(connected)
    connection = deployment.ended(connected)["connection_id"]
    found = {*secrets_of(connected, ann.profile), deployment.token(connection)}
    again, ben = deployment.session(connection_id=connection), site.person("ben")
    ben.connect(again)
    found |= {*secrets_of(again, ben.profile)}
    refused, eve = deployment.session(external_id="c2"), site.person("eve")
    page = eve.at_consent(refused)
    eve.person.refuse(page)
    eve.arrived(page)
    found |= {*secrets_of(refused, eve.profile)}
    hop, joe = by_application(site, verifier), site.person("joe")
    page = joe.opened(hop)
    joe.person.sign_in(page)
    joe.person.allow(page)
    joe.arrived(page)
    code = site.app.returned[-1]["connect_code"]
    said = {"code": code, "verifier": verifier.text}
    deployment.api("POST", f"/v1/connect/sessions/{hop['id']}/complete", json=said)
    completed = deployment.ended(hop)
    found |= {*secrets_of(hop, joe.profile), code, verifier.text}
    found |= {deployment.refreshes(connection), deployment.token(completed["connection_id"])}
    assert len(found) > 15
    places = {"tables": tables(site), "logs": deployment.spawn.outputs()}
    assert "connect_session" in places["tables"]
    for name, held in places.items():
        assert {secret for secret in found if secret in held} == set(), name
    for one in (ann, ben, eve, joe):
        told = "\n".join(one.profile.told_elsewhere())
        assert {secret for secret in found if secret in told} == set()


def test_history_and_referer_have_no_code(site: Site) -> None:
    """The tab's history has neither the callback nor a code; the application is sent no Referer."""
    session, ann = site.deployment.session(external_id="c3", return_url=site.app.url), site.person()
    page = ann.connect(session)
    entries = page.context.new_cdp_session(page).send("Page.getNavigationHistory")["entries"]
    urls = [entry["url"] for entry in entries]
    assert not [url for url in urls if "/connect/callback/" in url or of_query(url).get("code")]
    assert set(site.app.referers) <= {""}


def by_application(site: Site, verifier: Verifier) -> Any:
    """Makes a session of which the application has the last word."""
    return site.deployment.session(
        external_id="c4", finish="application", return_url=site.app.url,
        finish_challenge=verifier.challenge,
    )  # fmt: skip


def tables(site: Site) -> str:
    """Returns every row of every table as text; bytes also as what they may spell."""
    run = site.deployment.run
    names = run("select tablename from pg_tables where schemaname = current_schema()")
    held = []
    for (name,) in names:
        held.append(name)
        held += [str(row[0]) for row in run(f'select each::text from "{name}" each')]
    return "\n".join(held) + "\n".join(spelt(held))


def spelt(rows: list[str]) -> Iterator[str]:
    """Yields what columns of bytes hold, read as text."""
    for row in rows:
        for part in row.split('"\\\\x')[1:]:
            yield bytes.fromhex(part.partition('"')[0]).decode("latin-1")
