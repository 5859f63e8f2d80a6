"""M10: a token that goes through everything is found nowhere but sealed in its own column.

A real scheduler and worker at log level debug, a provider that answers, refuses, breaks off and
sends garbage; then every byte that Redis, Postgres, the logs, the health page, the commands, the mails
and the webhooks hold is searched for every token that there was.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from refresher.devkit.oauth_server import FakeProvider, Options
from refresher.rules.access import presented
from refresher.rules.connection import Sealed
from refresher.runtime.cipher import Cipher, new_key, parse_key
from tests import loopback
from tests.cli.kit import Cli
from tests.notify.webhooks.conftest import receiver
from tests.notify.webhooks.receiver import Receiver
from tests.ports import free_port
from tests.processes import Spawner
from tests.proofs.samples import ec_key, pem
from tests.waiting import wait_until

KEY = pem(ec_key())

__all__ = ["receiver"]

APP_SECRET, FORMER_SECRET = "canary-app-secret", "canary-former-secret"
OF_THE_APP = {APP_SECRET, FORMER_SECRET, *KEY.splitlines()[1:-1]}
GRANTS = 24
SETTINGS = {
    "REFRESHER_LOG_LEVEL": "debug",
    "REFRESHER_SENDER": "httpx",
    "APP_SECRET": APP_SECRET,
    "FORMER_SECRET": FORMER_SECRET,
    "APP_KEY": KEY,
}
SIGNS = {
    "events": "refreshed",
    "metrics": "refresher_exchange_seconds_count",
    "webhooks": '"type":"connection.reconnect_required"',
    "mails": "mail │ To: ann@example.com",
}
"""By what it is seen that the search had these places in hand."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider whose tokens live eight seconds, and which misbehaves now and then."""
    options = Options(client_secret=APP_SECRET, lifetime_seconds=8, grace_seconds=300)
    with FakeProvider(options) as running:
        yield running


def test_no_secret_is_found_anywhere(
    provider: FakeProvider,
    receiver: Receiver,
    tmp_path: Path,
    database_url: str,
    redis_url: str,
    spawn: Spawner,
) -> None:
    """Not in Redis, events, errors, logs, health, commands, mails, webhooks; in no column in clear."""
    # Given connections whose tokens we know, and a deployment that logs all it can
    key = new_key()
    environment = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REFRESHER_ENCRYPTION_KEYS": key,
        "REFRESHER_PROVIDERS_FILE": str(_providers_file(tmp_path, provider.url)),
        **SETTINGS,
        "PORT": str(free_port()),
    }
    secrets = {key, *OF_THE_APP} | _hand_in(provider, tmp_path, environment, spawn)
    cli = Cli(tmp_path, spawn.warm, environment)
    secrets |= _have_told(cli, receiver)
    # When they are refreshed through every kind of answer
    _misbehave(provider)
    spawn("-m", "dramatiq", "refresher.actors", "--processes", "1", env=environment)
    scheduler = spawn("-m", "refresher.scheduler", env=environment | {"PORT": "0"})
    with psycopg.connect(database_url.replace("+psycopg", "")) as db:
        wait_until(lambda: _kinds(db) >= {"refreshed", "transient", "malformed", "revoked"})
        scheduler.wait_for("mail │ Subject: Reconnect Fake")
        wait_until(lambda: receiver.received)
        secrets |= _opened(db, Cipher([parse_key(key)]))
        held = _everything_in(db)
        held += _everything_looked_at(cli, db)
    held += "\n".join(f"{one.headers} {one.body.decode()}" for one in receiver.received)
    # Then none of their tokens, and neither secret nor key, stands in what all that left behind
    held += _everything_in_redis(redis_url)
    held += _everything_shown(environment, spawn)
    held += spawn.outputs()
    assert [place for place, sign in SIGNS.items() if sign not in held] == [], "not looked at"
    assert {secret for secret in secrets if secret in held} == set()


def _misbehave(provider: FakeProvider) -> None:
    """Has the provider give every kind of answer now and then."""
    for kind in ("status_503", "drop_after_commit", "garbage", "extra_fields", "truncated"):
        provider.admin.add_fault(kind, count=4)
    provider.admin.add_fault("error", count=2, error="invalid_grant")


def _have_told(cli: Cli, receiver: Receiver) -> set[str]:
    """Adds who is told by mail and by webhook, and an API key; returns the secrets shown at that."""
    assert cli("recipients", "add", "ann@example.com", "--organization", "org").code == 0
    hook = cli("webhooks", "add", receiver.url, "--event", "*", "--organization", "org", "--json")
    made = cli("keys", "create", "--name", "canary", "--scope", "token", "--json")
    key = presented(made.json["key"])
    assert key is not None
    signing = hook.json["secret"]
    return {signing, signing.removeprefix("whsec_"), made.json["key"], key.secret.reveal()}


def _everything_looked_at(cli: Cli, db: psycopg.Connection) -> str:
    """Returns what the commands say that look at single connections, at who is told, and at keys."""
    webhook = db.execute("select id from webhook_endpoint").fetchone()
    recorded = "select connection_id from refresh_event where kind = %s and recorded is not null"
    ids = [db.execute(recorded, [kind]).fetchone() for kind in ("malformed", "revoked")]
    assert webhook is not None
    looks: list[list[object]] = [["recipients", "list"], ["webhooks", "list"], ["keys", "list"]]
    looks += [["webhooks", look, webhook[0]] for look in ("show", "deliveries")]
    for found in ids:
        assert found is not None
        looks += [[look, found[0]] for look in ("inspect", "explain", "replay", "events")]
    ran = [cli(*look, *form) for look in looks for form in ((), ("--json",))]
    assert {one.code for one in ran} == {0}, [one.stderr for one in ran if one.code]
    return "\n".join(one.stdout + one.stderr for one in ran)


def _everything_shown(environment: dict[str, str], spawn: Spawner) -> str:
    """Runs commands, and returns what the pages show."""
    held = ""
    held += loopback.get(f"http://127.0.0.1:{environment['PORT']}/health/status").text
    held += loopback.get(f"http://127.0.0.1:{environment['PORT']}/metrics").text
    for command in (
        ["top", "--once"],
        ["connections", "list", "--json"],
        ["settings"],
        ["doctor"],
        ["apps", "list"],
    ):
        spawn("-m", "refresher", *command, env=environment).wait()
    return held


def _providers_file(folder: Path, url: str) -> Path:
    file = folder / "providers.toml"
    file.write_text(
        f'[providers.fake]\ntoken_url = "{url}/token"\n'
        '[apps.fake]\nclient_id = "fake-client"\nclient_secret_env = "APP_SECRET"\n'
        'previous_client_secret_env = "FORMER_SECRET"\nprivate_key_env = "APP_KEY"\n'
    )
    return file


def _hand_in(
    provider: FakeProvider, folder: Path, environment: dict[str, str], spawn: Spawner
) -> set[str]:
    """Imports connections with the command, and returns their tokens."""
    grants = provider.admin.create_grants(GRANTS)
    lines = [
        json.dumps(
            {
                "organization_id": "org",
                "provider": "fake",
                "external_id": grant.external_id,
                "access_token": grant.access_token,
                "refresh_token": grant.refresh_token,
                "expires_in": 1,
            }
        )
        for grant in grants
    ]
    file = folder / "connections.jsonl"
    file.write_text("\n".join(lines))
    imported = spawn("-m", "refresher", "connections", "import", str(file), env=environment)
    assert imported.wait() == 0, imported.output
    return {g.access_token for g in grants} | {g.refresh_token for g in grants if g.refresh_token}


def _kinds(db: psycopg.Connection) -> set[str]:
    return {row[0] for row in db.execute("select distinct kind from refresh_event")}


def _opened(db: psycopg.Connection, cipher: Cipher) -> set[str]:
    """Returns the tokens that are stored now, in the clear."""
    found = set()
    for column in ("access_token", "refresh_token"):
        for id_, sealed in db.execute(f"select id, {column} from connection"):
            found.add(cipher.open(Sealed(bytes(sealed)), id_, column).reveal())
    return found


def _everything_in(db: psycopg.Connection) -> str:
    """Returns every row of every table as text."""
    tables = db.execute("select relname from pg_stat_user_tables").fetchall()
    return "\n".join(
        str(row[0]) for (table,) in tables for row in db.execute(f'select t::text from "{table}" t')
    )


def _everything_in_redis(url: str) -> str:
    """Returns every key with its dump, byte for byte."""
    with redis.Redis.from_url(url) as client:
        keys = list(client.scan_iter())
        assert keys, "Redis was used"
        return "\n".join(f"{key!r} {client.dump(key)!r}" for key in keys)
