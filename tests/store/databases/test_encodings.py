"""Databases that are not UTF-8, or that write dates in another way."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from refresher.errors import DatabaseNotMigrated
from refresher.runtime.cipher import new_key
from refresher.settings import sqlalchemy_url
from refresher.store import migrate
from tests.processes import Spawner
from tests.services import PostgresServer
from tests.store.databases.kit import run
from tests.world import World

pytestmark = pytest.mark.slow
ENCODINGS = ("SQL_ASCII", "LATIN1")


@pytest.fixture(params=ENCODINGS)
def other_encoding(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[str]:
    """The URL of an empty database with this encoding."""
    name = f"encoded_{request.param.lower()}"
    postgres.drop_database(name)
    made = f"create database {name} encoding '{request.param}' template template0"
    run(postgres.url(), f"{made} lc_collate 'C' lc_ctype 'C'")
    yield postgres.url(name)
    postgres.drop_database(name)


@pytest.fixture
def installed(other_encoding: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same with tables of ours: an installation from before they were refused."""
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "refuse_unfit", lambda *_: None)
        migrate.upgrade(sqlalchemy_url(other_encoding))
    return other_encoding


def test_a_database_that_cannot_hold_every_name_is_not_begun(other_encoding: str) -> None:
    """Migrating says which encoding it has, and how to make one that will do."""
    with pytest.raises(DatabaseNotMigrated, match=r"encoding is (SQL_ASCII|LATIN1).*'UTF8'"):
        migrate.upgrade(sqlalchemy_url(other_encoding))


def test_an_installation_that_has_one_goes_on_and_is_warned(installed: str, spawn: Spawner) -> None:
    """It migrates on and refreshes; doctor says what is to be done."""
    assert migrate.upgrade(sqlalchemy_url(installed))[0] == migrate.newest()
    with closing(World(installed)) as world:
        connection = world.connect(expires_in=0, name="Zoë")
        world.tick()
        assert world.token(connection) == "access-1"
    doctor = spawn("-m", "refresher", "doctor", "--json", env={"DATABASE_URL": installed})
    doctor.wait()
    levels = {one["check"]: one["level"] for one in json.loads(doctor.output)["findings"]}
    assert levels["encoding"] == "warn"


def test_a_name_it_cannot_hold_is_that_line_s_fault_alone(
    other_encoding: str, installed: str, spawn: Spawner, tmp_path: Path
) -> None:
    """An import rejects the line in a sentence, and stores the ones around it."""
    given = {"organization_id": "o", "provider": "google", "refresh_token": "r", "app": "default"}
    names = ("plain", "\N{ROCKET}", "Zoë")
    lines = [
        json.dumps({**given, "external_id": f"c{n}", "name": name}) for n, name in enumerate(names)
    ]
    file = tmp_path / "connections.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    command = spawn(
        "-m", "refresher", "connections", "import", str(file), "--json",
        env={"DATABASE_URL": other_encoding, "REFRESHER_ENCRYPTION_KEYS": new_key()},
    )  # fmt: skip
    command.wait()
    assert "Traceback" not in command.output, command.output
    rejected = 1 if "latin1" in other_encoding else 0  # SQL_ASCII takes any bytes
    assert f'"created":{3 - rejected},' in command.output, command.output
    assert f'"rejected":{rejected},' in command.output


@pytest.mark.parametrize("style", ["German", "SQL, DMY", "Postgres, MDY"])
def test_dates_are_read_whatever_style_the_database_has(database_url: str, style: str) -> None:
    """What the database sets for everybody is no concern of ours."""
    name = database_url.rpartition("/")[2]
    run(
        database_url,
        f"alter database {name} set datestyle = '{style}'",
        f"alter database {name} set intervalstyle = 'iso_8601'",
        f"alter database {name} set bytea_output = 'escape'",
        f"alter database {name} set client_encoding = 'latin1'",
    )
    with closing(World(database_url)) as world:
        connection = world.connect(expires_in=0, name="Zoë \N{ROCKET}")
        world.tick()
        assert world.token(connection) == "access-1"
        assert world.row(connection).expires_at > world.clock.now
