"""Client secrets in files of their own: rotated under a running service, as mounted secrets are."""

from dataclasses import replace
from pathlib import Path

import pytest

from refresher import catalogue
from refresher.connections.oauth_apps import SecretFiles, sync_apps
from refresher.store import oauth_apps
from tests.world import World

FILE = """
[providers.dot]
token_url = "https://dot.example/token"

[apps.dot]
client_id = "x"
client_secret_file = "{secret}"

[apps."dot/other"]
client_id = "y"
client_secret_env = "UNSET_SECRET"
"""


def stored(world: World, name: str = "default") -> str | None:
    """Returns the client secret that is stored for an app of dot."""
    with world.services.database.transaction() as db:
        app = oauth_apps.find(db, "dot", name)
    if app is None or app.client_secret is None:
        return None
    return world.services.cipher.open(app.client_secret, app.id, "client_secret").reveal()


def running(world: World, folder: Path, secret: str) -> SecretFiles:
    """Returns what watches, after the start of a scheduler with this file for a secret."""
    file = folder / "providers.toml"
    file.write_text(FILE.format(secret=secret))
    world.services = replace(
        world.services,
        settings=world.services.settings.model_copy(update={"providers_file": file}),
        catalogue=catalogue.load(file, tolerant=True),
    )
    watch = SecretFiles(world.services)
    sync_apps(world.services)
    return watch


@pytest.mark.parametrize("how", ["written", "replaced", "link"])
def test_a_secret_that_changes_in_its_file_is_stored(
    world: World, tmp_path: Path, how: str
) -> None:
    """Written in place, replaced, or behind a link that leads elsewhere, as mounted secrets are."""
    for name, text in (("first", "old-secret"), ("second", "new-secret")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(text)
    (tmp_path / "data").symlink_to("first")
    watch = running(world, tmp_path, "data/secret")
    assert stored(world) == "old-secret"
    assert watch.look() == []
    if how == "written":
        (tmp_path / "first" / "secret").write_text("new-secret")
    elif how == "replaced":
        (tmp_path / "second" / "secret").replace(tmp_path / "first" / "secret")
    else:
        (tmp_path / "next").symlink_to("second")
        (tmp_path / "next").replace(tmp_path / "data")
    assert watch.look() == ["dot/default"]
    assert stored(world) == "new-secret"
    assert watch.look() == []


def test_a_secret_file_that_is_away_for_a_moment_costs_nothing(
    world: World, tmp_path: Path
) -> None:
    """The stored secret stays in use, and the new one is taken when its file is there."""
    (tmp_path / "secret").write_text("old-secret")
    watch = running(world, tmp_path, "secret")
    (tmp_path / "secret").unlink()
    assert watch.look() == []
    assert stored(world) == "old-secret"
    (tmp_path / "secret").write_text("new-secret")
    assert watch.look() == ["dot/default"]


def test_a_missing_secret_keeps_no_other_app_from_being_stored(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One app's variable is not set: the others are stored, and it is once the variable is there."""
    (tmp_path / "secret").write_text("old-secret")
    watch = running(world, tmp_path, "secret")
    assert (stored(world), stored(world, "other")) == ("old-secret", None)
    monkeypatch.setenv("UNSET_SECRET", "there-now")
    (tmp_path / "secret").write_text("new-secret")
    assert watch.look() == ["dot/default", "dot/other"]
