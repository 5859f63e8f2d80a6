"""No token, no secret and no link is on any page, in any part, or in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from refresher.catalogue.entries import AppEntry
from refresher.connections import dashboard_links
from refresher.connections.oauth_apps import store_app
from refresher.connections.resume_links import make_link
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from tests.dashboard.kit import Person
from tests.dashboard.things import ORGANIZATION, Things, crawled
from tests.proofs.samples import ec_key, pem
from tests.web.kit import HOOK, Site
from tests.world import refused

KEY = pem(ec_key())
PLANTED = (
    *("canary-access", "canary-refresh", "access-1", "refresh-1", "canary-unread"),
    *("canary-client-secret", "canary-former-secret", *KEY.splitlines()[1:-1]),
)


@pytest.fixture
def everything_logged() -> Iterator[None]:
    """Has lines of level debug written."""
    kept = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    yield
    structlog.configure(**kept)


class Planted(Things):
    """Things that hold what nobody may see; `secrets` are those."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.secrets = [*PLANTED, site.key]

    def plant(self) -> None:
        """Makes them, with a refresh, an answer that nobody can read, and a dead grant."""
        world, by = self.site.world, self.site.actor
        services = world.services
        store_app(services.database, services.cipher, AppEntry("acme", _client(), "default"), by)
        id_ = self.__dict__["connection"] = world.connect(
            "canary", access_token="canary-access", refresh_token="canary-refresh",
            organization_id=ORGANIZATION,
        )  # fmt: skip
        wanted = WantedEndpoint(HOOK, ["*"], ORGANIZATION)
        egress = Egress(lookup=lambda _: ["93.184.216.34"])
        endpoint, signing = endpoints.add(services.database, services.cipher, egress, wanted, by)
        self.__dict__["endpoint"] = endpoint
        self.secrets.append(signing.reveal())
        for answer in (
            world.script.rotate,
            lambda _: Reply(200, {"content-type": "text/html"}, b"<p>access_token=canary-unread"),
            lambda _: refused("invalid_grant"),
        ):
            world.script.answer = answer
            world.pass_time(3_600)
            self.site("POST", f"/v1/connections/{id_}/refresh")
        link = make_link(services, id_, seconds=3_600, by=by)
        self.secrets.append(link.path.rpartition("/")[2])
        self.secrets.append(dashboard_links.make(services.database, by).rpartition("/")[2])


def _client() -> ClientCredentials:
    return ClientCredentials(
        "app-id",
        Secret("canary-client-secret"),
        previous_client_secret=Secret("canary-former-secret"),
        private_key=Secret(KEY),
    )


def test_nothing_secret_is_on_a_page_or_in_the_log(
    site: Site, capfd: pytest.CaptureFixture[str], everything_logged: None
) -> None:
    """Pages, parts, headers, deeds, errors and lines of the log, for who may do everything."""
    things = Planted(site)
    things.plant()
    person = Person.signed_in(site)
    pages = crawled(person, things)
    for path in (f"/ui/connections/{things.connection}/{deed}" for deed in ("pause", "resume")):
        pages[f"POST {path}"] = person.post(path).text
    typed = {"client_secret": "canary-client-secret", "csrf": "old"}
    pages["stale"] = person.send("POST", "/ui/account/look", typed).text
    pages |= crawled(person, things)
    captured = capfd.readouterr()
    told = "\n".join([*pages.values(), captured.out, captured.err])
    assert "dashboard page" in told
    assert str(things.connection) in told
    lines = [line for line in captured.out.splitlines() if "dashboard page" in line]
    assert not any(str(things.connection) in line for line in lines)
    secrets = [*things.secrets, person.secret]
    assert all(len(one) >= 8 for one in secrets)
    assert {one for one in secrets if one in told} == set()
    assert {path for path, page in pages.items() if "&lt;Macro" in page} == set()
