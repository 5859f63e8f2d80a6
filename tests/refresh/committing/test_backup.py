"""docs/backup.md, done: a dump that is restored refreshes nothing until a person has confirmed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from refresher.devkit.oauth_server import FakeProvider, Options
from refresher.devkit.postgres.binaries import installed_versions
from refresher.runtime.cipher import new_key
from tests.cli.kit import Cli
from tests.ports import free_port
from tests.processes import Spawner
from tests.services import PostgresServer, plain
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SCHEDULER = ("-m", "refresher.scheduler")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider that rotates, and ends a grant whose old token is presented."""
    with FakeProvider(Options(rotation="always", reuse="revoke_family", grace_seconds=0)) as made:
        yield made


@pytest.fixture
def cli(database_url: str, provider: FakeProvider, tmp_path: Path, spawn: Spawner) -> Cli:
    """The command line of an installation with one provider."""
    file = tmp_path / "providers.toml"
    file.write_text(
        f'[providers.fake]\ntoken_url = "{provider.url}/token"\nclient_auth = "basic"\n'
        f'[apps.fake]\nclient_id = "{provider.state.options.client_id}"\n'
        f'client_secret = "{provider.state.options.client_secret}"\n'
    )
    env = {
        "DATABASE_URL": database_url,
        "REFRESHER_ENCRYPTION_KEYS": new_key(),
        "REFRESHER_PROVIDERS_FILE": str(file),
        "REFRESHER_DATA_DIRECTORY": str(tmp_path / "data"),
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "in_process",
        "REFRESHER_LOG_FORMAT": "json",
        "PORT": str(free_port()),
    }
    return Cli(tmp_path, spawn.warm, env)


def test_a_restored_dump_spends_no_token_until_somebody_confirms(
    cli: Cli, postgres: PostgresServer, provider: FakeProvider, spawn: Spawner, tmp_path: Path
) -> None:
    """Claims wait, everybody says why; keys are revoked again; then what can live goes on living."""
    # Given a dump, after which one grant was rotated and one key revoked
    rotated, untouched = connect(cli, provider)
    key = cli("keys", "create", "--name", "old", "--scope", "read", "--json").json["id"]
    dump = tmp_path / "dump"
    run_postgres("pg_dump", "-Fc", "-f", str(dump), plain(cli.env["DATABASE_URL"]))
    scheduler = spawn(*SCHEDULER, env=cli.env)
    assert cli.process("connections", "refresh", rotated).code == 0
    cli("keys", "revoke", key)
    wait_until((tmp_path / "data/high-water.json").exists)
    stop(scheduler)
    scheduler = spawn(*SCHEDULER, env=cli.env)  # it notes how far the history goes by now
    scheduler.wait_for("scheduler started")
    wait_until(lambda: note_is_up_to_date(cli))
    assert cli("restore-check").code == 0
    stop(scheduler)
    # When it is restored, and a scheduler starts on it with rows that are due
    restore(cli, postgres, dump)
    make_due(cli)
    cli.process("connections", "refresh", untouched).refused("older than it was", code=3)
    scheduler = spawn(*SCHEDULER, env=cli.env)
    scheduler.wait_for("this database is older than it was")
    # Then nothing is asked of the provider, and everything says so
    assert provider.admin.summary().requests == 1
    assert cli("restore-check").code == 1
    findings = cli.process("doctor", "--json").json["findings"]
    assert next(f for f in findings if f["check"] == "backup")["level"] == "fail"
    # And as the page says, what was revoked is revoked again, and the restore confirmed
    assert key in {k["id"] for k in cli("keys", "list", "--json").lines if not k["revoked_at"]}
    assert cli("keys", "revoke", key).code == 0
    cli("restore-check", "--confirm").refused("no terminal", "--yes")
    assert cli("restore-check", "--confirm", "--yes").code == 0
    # So that the scheduler goes on by itself: one grant lives, the other's owner is asked
    wait_until(lambda: cli.show(rotated)["status"] == "reconnect_required")
    wait_until(lambda: cli.show(untouched)["credential_version"] == 2)
    stop(scheduler)


def connect(cli: Cli, provider: FakeProvider) -> list[str]:
    """Registers two accounts of the provider, and returns what they are called there."""
    grants = provider.admin.create_grants(2)
    for grant in grants:
        tokens = {"access_token": grant.access_token, "refresh_token": grant.refresh_token}
        cli.connect(grant.external_id, provider="fake", **tokens)
    return [grant.external_id for grant in grants]


def make_due(cli: Cli) -> None:
    """Has all rows be due."""
    with psycopg.connect(plain(cli.env["DATABASE_URL"])) as db:
        db.execute("update refresh_schedule set due_at = now()")


def note_is_up_to_date(cli: Cli) -> bool:
    """Whether what was seen is all that there is."""
    seen = cli("restore-check", "--json").json
    return bool(seen["newest_event"] == seen["newest_event_seen"])


def restore(cli: Cli, postgres: PostgresServer, dump: Path) -> None:
    """Replaces the database by the dump's, as an operator does."""
    name = cli.env["DATABASE_URL"].rpartition("/")[2]
    postgres.drop_database(name)
    postgres.create_database(name)
    run_postgres("pg_restore", "--no-owner", "-d", plain(cli.env["DATABASE_URL"]), str(dump))
    assert cli("migrate").code == 0


def run_postgres(program: str, *arguments: str) -> None:
    """Runs one of the programs that come with PostgreSQL."""
    installed = installed_versions()
    subprocess.run([installed[max(installed)] / program, *arguments], check=True, env=os.environ)


def stop(process: Any) -> None:
    """Stops a process and waits for its end."""
    process.terminate()
    assert process.wait() == 0, process.output
