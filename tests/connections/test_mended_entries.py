"""Connections of a provider whose entry is wrong wait, and go on by themselves when it is mended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from refresher import catalogue
from refresher.catalogue import Catalogue, watching
from refresher.connections.oauth_apps import sync_apps
from refresher.connections.provider_entries import ProviderEntries
from tests.world import PROVIDERS, World

WRONG = '[apps.dot]\nclient_id = "x"\n[providers.dot]\nclient_auth = "none"\n'
MENDED = WRONG + 'token_url = "https://dot.example/token"\n'
PARK = "update refresh_schedule set state = 2, parked_reason = :reason where connection_id = :id"


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A providers file is looked at whenever an entry is missed."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)


def started(world: World, file: Path) -> ProviderEntries:
    """Returns what watches the entries of a world that has this providers file beside its own."""
    loaded = catalogue.load(file, tolerant=True)
    known = Catalogue(
        {one.name: one for one in PROVIDERS},
        {},
        loaded.apps,
        broken=loaded.broken,
        again=loaded._again,
    )
    world.services = replace(world.services, catalogue=known)
    sync_apps(world.services)
    return ProviderEntries(world.services)


def test_rows_of_a_wrong_entry_wait_and_go_on_when_it_is_mended(
    world: World, tmp_path: Path, at_once: None
) -> None:
    """They are parked, not dead; others are refreshed; the mend needs neither command nor restart."""
    file = tmp_path / "providers.toml"
    file.write_text(WRONG)
    entries = started(world, file)
    good, waiting = world.connect("good", expires_in=0), world.connect("waiting", expires_in=0)
    world.run("update connection set provider = 'dot' where id = :id", id=waiting)
    assert world.tick() == {"refreshed": 1, "parked": 1, "stale": 0}
    assert world.row(good).state == 0
    assert world.row(waiting).parked_reason == "unknown_provider"
    assert world.row(waiting).status == "active"
    entries.look()
    assert world.row(waiting).state == 2
    file.write_text(MENDED)
    entries.look()
    assert world.tick()["refreshed"] == 1
    assert world.row(waiting).credential_version == 2


def test_a_worker_that_misses_an_entry_looks_for_it_itself(
    world: World, tmp_path: Path, at_once: None
) -> None:
    """A row of an entry that was mended since the start is refreshed at once."""
    file = tmp_path / "providers.toml"
    file.write_text(WRONG)
    started(world, file)
    id_ = world.connect("one", expires_in=0)
    world.run("update connection set provider = 'dot' where id = :id", id=id_)
    file.write_text(MENDED)
    assert world.tick()["refreshed"] == 1


def test_rows_that_another_process_parked_go_on_at_the_next_start(world: World) -> None:
    """After a deploy that lacked an entry, or had a wrong one."""
    id_ = world.connect("one", expires_in=0)
    other = world.connect("other", expires_in=0)
    world.run(PARK, id=id_, reason="unknown_provider")
    world.run(PARK, id=other, reason="paused")
    ProviderEntries(world.services).resume()
    assert (world.row(id_).state, world.row(other).state) == (0, 2)
    assert world.events(id_)[-1] == "resumed"
