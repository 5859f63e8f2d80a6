"""What providers have announced, told near its day to who uses them; `World`'s acme has a change."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from refresher.runtime.health import Probe
from refresher.store import inspection
from tests.cli.conftest import PROVIDERS
from tests.cli.kit import Cli
from tests.runtime.metrics.kit import open_meter, scrape
from tests.web.kit import Site
from tests.world import START, World

NEAR = "acme changes in 31 days (2030-02-01): its v1 ends"


@pytest.fixture
def site(world: World) -> Iterator[Site]:
    """The API of that world."""
    with Site.opened(world) as opened:
        yield opened


def test_a_provider_is_in_use_while_a_connection_lives(world: World) -> None:
    """Of all organizations or of one, without deleted connections, by the database's day."""
    for n in range(3):
        world.connect(f"c{n}")
        world.connect(f"m{n}", provider="meta", organization_id="other", refresh_token=None)
    world.run("update connection set deleted_at = refresher_now() where external_id < 'c2'")
    with world.services.database.transaction() as db:
        assert inspection.in_use(db).providers == ("acme", "meta")
        assert inspection.in_use(db).today == START.date() == date(2030, 1, 1)
        assert inspection.in_use(db, "other").providers == ("meta",)
        assert inspection.in_use(db, "nobody").providers == ()
    world.run("update connection set deleted_at = refresher_now() where provider = 'acme'")
    with world.services.database.transaction() as db:
        assert inspection.in_use(db).providers == ("meta",)


def test_the_metrics_count_the_days(world: World) -> None:
    """From ninety days ahead to thirty after, and only while a connection uses the provider."""
    open_meter(world)
    assert not scrape(world).has("provider_change_days")
    world.connect()
    assert scrape(world)("provider_change_days", provider="acme") == 31
    world.pass_time(timedelta(days=41).total_seconds())
    assert scrape(world)("provider_change_days", provider="acme") == -10
    world.pass_time(timedelta(days=21).total_seconds())
    assert not scrape(world).has("provider_change_days")


def test_the_api_shows_changes_and_warns_of_those_in_use(site: Site) -> None:
    """Every entry has its changes; a key sees the warnings of what its own connections use."""
    shown = site("GET", "/v1/providers/acme").json()
    change = {"on": "2030-02-01", "what": "its v1 ends", "url": "https://acme.example/news"}
    assert (shown["changes"], shown["warnings"]) == ([change], [])
    site.world.connect()
    listed = {p["name"]: p["warnings"] for p in site("GET", "/v1/providers").json()["items"]}
    assert listed == {"acme": [NEAR], "paced": [], "meta": []}
    theirs = site.new_key(organization_id="other")
    assert site("GET", "/v1/providers/acme", key=theirs).json()["warnings"] == []


def test_the_status_page_has_them(world: World) -> None:
    """`/health/status` tells them by provider, and they are no fault."""
    world.connect()
    told = Probe("web", world.services, None).status()
    assert (told["changes"], told["ok"]) == ({"acme": [NEAR]}, True)


def test_doctor_and_show_warn_of_them(cli: Cli) -> None:
    """`doctor` of providers in use, `providers show` of the one that is looked at."""
    on = datetime.now(UTC).date() + timedelta(days=80)
    announced = f'[{{ on = {on}, what = "its v1 ends", url = "https://acme.example/news" }}]'
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    entry = PROVIDERS.format(url="http://127.0.0.1:9")
    file.write_text(entry.replace("\n\n[apps", f"\nchanges = {announced}\n\n[apps"))
    assert "v1" not in cli("doctor").stdout
    cli.connect("c1")
    warned = [f for f in cli("doctor", "--json").json["findings"] if "v1" in f["message"]]
    assert [(f["check"], f["level"]) for f in warned] == [("providers", "warn")]
    assert "https://acme.example/news" in warned[0]["mend"]
    assert "its v1 ends" in cli("providers", "show", "acme").stderr
    (warning,) = cli("providers", "show", "acme", "--json").json["warnings"]
    assert warning.startswith("acme changes in ")
