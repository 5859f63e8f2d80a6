"""`doctor`: each thing that can be wrong is found, and comes with what mends it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from refresher.rules.connection import ParkReason
from refresher.rules.reasons import MENDS, ON_PURPOSE, mend
from refresher.runtime.services import Services
from refresher.store import inspection, workers
from tests.cli.kit import Cli


@pytest.fixture
def scheduler(services: Services) -> Iterator[None]:
    """A living scheduler, as far as the database can tell."""
    with services.database.session() as db:
        key = workers.register(db, uuid4(), role="scheduler", host="here", process_id=1)
        assert workers.take_lock(db, key)
        yield


def found(cli: Cli, check: str, level: str) -> list[Any]:
    """What doctor says about one check, at this level; the exit code must agree with it."""
    ran = cli("doctor", "--json")
    findings = ran.json["findings"]
    failed = any(finding["level"] == "fail" for finding in findings)
    assert (ran.code, ran.json["ok"]) == ((1, False) if failed else (0, True))
    assert all(finding["mend"] for finding in findings if finding["level"] != "ok")
    return [f for f in findings if (f["check"], f["level"]) == (check, level)]


def run(services: Services, sql: str) -> None:
    """Runs a statement outside a transaction."""
    with services.database.session() as db:
        db.exec_driver_sql(sql)


class Unclosed:
    """A session that two clients hold, so that neither ends it."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def close(self) -> None:
        """Leaves it open."""


def test_all_is_well(cli: Cli, scheduler: None):
    """With everything in place nothing is wrong: exit code 0, and each check is told."""
    cli.connect("c1")
    ran = cli("doctor")
    assert ran.code == 0, ran.stdout
    assert "0 wrong, 0 worth a look" in ran.stdout
    for check in ("keys", "database", "tables", "liveness lock", "scheduler", "due", "secrets"):
        assert [line for line in ran.stdout.splitlines() if line.startswith("ok") and check in line]


def test_nothing_is_set(bare: Cli):
    """With no setting at all doctor still answers, and says what to set."""
    assert "encryption new-key" in found(bare, "keys", "fail")[0]["mend"]
    assert "refresher up" in found(bare, "database", "fail")[0]["mend"]
    assert found(bare, "redis", "fail")
    assert "→ set REFRESHER_ENCRYPTION_KEYS" in bare("doctor").stdout


def test_a_wrong_setting(bare: Cli):
    """Settings that contradict each other are told, and nothing else can be looked at."""
    bare.env["REFRESHER_LEASE_SECONDS"] = "1"
    assert "REFRESHER_LEASE_SECONDS" in found(bare, "settings", "fail")[0]["message"]


def test_a_flow_that_is_switched_off(cli: Cli):
    """A disabled flow is worth a look, since nothing is refreshed."""
    cli.env["REFRESHER_INTEGRATION_REFRESH__ENABLED"] = "false"
    assert "nothing is refreshed" in found(cli, "settings", "warn")[0]["message"]


def test_a_wrong_key_and_a_wrong_providers_file(cli: Cli):
    """A key that is none, and a providers file with a typo, are told without the key."""
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = "hunter2"
    Path(cli.env["REFRESHER_PROVIDERS_FILE"]).write_text("[providers.acme]\ntoken_ulr = 'x'\n")
    assert "hunter2" not in str(found(cli, "keys", "fail"))
    assert "token_url" in found(cli, "providers", "fail")[0]["message"]


def test_remarks_on_the_providers_file(cli: Cli):
    """A provider that loads but deserves a look is a warning."""
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text('[providers.beta]\ntoken_url = "https://beta.example/token"\n')
    assert "providers check" in found(cli, "providers", "warn")[0]["mend"]


@pytest.mark.parametrize(
    ("url", "mend"),
    [
        ("postgresql://u:hunter2@127.0.0.1:9/x", "start PostgreSQL"),
        ("{server}/not_there", "create it"),
        ("{wrong_password}", "user and password"),
    ],
)
def test_a_database_that_does_not_answer(cli: Cli, url: str, mend: str):
    """Whatever keeps us from the database, the advice fits, and no password is shown."""
    server, _, _ = cli.env["DATABASE_URL"].rpartition("/")
    place = server.rpartition("@")[2]
    wrong = f"postgresql://postgres:hunter2@{place}/postgres"
    cli.env["DATABASE_URL"] = url.format(server=server, wrong_password=wrong)
    finding = found(cli, "database", "fail")[0]
    assert mend in finding["mend"], finding
    assert "hunter2" not in str(finding)


def test_a_database_without_tables(bare: Cli, bare_database_url: str):
    """A database that is not migrated is told, with the command that does it."""
    bare.env["DATABASE_URL"] = bare_database_url
    assert found(bare, "database", "fail")[0]["mend"] == "`refresher migrate`"


def test_a_newer_schema(cli: Cli, services: Services):
    """A database that a newer version migrated asks for that version, not for `migrate`."""
    run(services, "update refresher_migration set version_num = '9999'")
    assert "deploy that version" in found(cli, "database", "fail")[0]["mend"]


def test_a_server_set_up_wrongly(cli: Cli, services: Services):
    """Serializable transactions and a read-only database are told with what mends them."""
    name = cli.env["DATABASE_URL"].rpartition("/")[2]
    run(services, f"alter database {name} set default_transaction_isolation = 'serializable'")
    run(services, f"alter database {name} set default_transaction_read_only = on")
    assert "read committed" in found(cli, "isolation", "fail")[0]["mend"]
    assert "primary" in found(cli, "writable", "fail")[0]["mend"]


def test_a_pooler_in_transaction_mode(
    cli: Cli, services: Services, monkeypatch: pytest.MonkeyPatch
):
    """Two clients that share one server session are found out: locks do not hold there."""
    one = services.database.open_plain()
    assert inspection.sessions_are_ours(services.database)
    monkeypatch.setattr(services.database, "open_plain", lambda: Unclosed(one))
    assert not inspection.sessions_are_ours(services.database)
    one.close()
    monkeypatch.setattr("refresher.store.inspection.sessions_are_ours", lambda database: False)
    assert "REFRESHER_LIVENESS_LOCK" in found(cli, "liveness lock", "fail")[0]["mend"]
    cli.env["REFRESHER_LIVENESS_LOCK"] = "false"
    assert found(cli, "liveness lock", "ok")


def test_nobody_works(cli: Cli, services: Services):
    """Without a scheduler connections wait: wrong when there are some, worth a look before."""
    assert "refresher.scheduler" in found(cli, "scheduler", "warn")[0]["mend"]
    cli.connect("c1")
    assert found(cli, "scheduler", "fail")
    with services.database.transaction() as db:
        workers.register(db, uuid4(), role="scheduler", host="here", process_id=1)
    assert found(cli, "scheduler", "fail"), "a process whose lock is gone does not work"


def test_a_process_that_is_frozen(cli: Cli, services: Services, scheduler: None):
    """A process that holds its lock and gives no sign of life is worth a look."""
    run(services, "update worker set seen_at = seen_at - interval '5 minutes'")
    assert "no sign of life for 5 min" in found(cli, "scheduler", "warn")[0]["message"]


def test_rows_that_are_late(cli: Cli, services: Services, scheduler: None):
    """Rows overdue by more than a moment are wrong, with how many and how long."""
    cli.connect("c1", "c2")
    run(services, "update refresh_schedule set due_at = due_at - interval '5 hours'")
    assert "are late: 2, the first by 4.2 h" in found(cli, "due", "fail")[0]["message"]


def test_rows_that_nobody_works_on_are_late_although_they_are_claimed(
    cli: Cli, services: Services, scheduler: None
):
    """Without a worker the rows are leased again and again: they are late all the same."""
    cli.connect("c1")
    run(
        services,
        "update refresh_schedule set state = 1, lease_until = now() + interval '1 minute', "
        "due_at = now() - interval '5 minutes'",
    )
    assert "are late: 1, the first by 5 min" in found(cli, "due", "fail")[0]["message"]


def test_tokens_that_are_dead(cli: Cli, services: Services, scheduler: None):
    """Dead tokens and pairs in quarantine are told, with what to do."""
    cli.connect("c1", "c2")
    run(services, "update connection set expires_at = now() - interval '1 minute'")
    run(
        services,
        "insert into quarantine (id, connection_id, grant_number, credential_version, access_token)"
        " select gen_random_uuid(), id, 1, 1, access_token from connection limit 1",
    )
    assert "to be refreshed: 2" in found(cli, "tokens", "fail")[0]["message"]
    assert "REFRESHER_LEASE_SECONDS" in found(cli, "quarantine", "warn")[0]["mend"]


def test_parked_connections_by_reason(cli: Cli, services: Services):
    """Each reason for parking is counted: what we must mend fails, what people chose is well."""
    cli.connect("mine", "theirs", "chosen")
    for external_id, reason in (
        ("mine", "undecryptable"), ("theirs", "reconnect_required"), ("chosen", "paused"),
    ):  # fmt: skip
        run(
            services,
            f"update refresh_schedule s set state = 2, parked_reason = '{reason}' "
            f"from connection c where c.id = s.connection_id and c.external_id = '{external_id}'",
        )
    assert "undecryptable" in found(cli, "parked", "fail")[0]["message"]
    assert "reconnect_required" in found(cli, "parked", "warn")[0]["message"]
    assert "paused" in found(cli, "parked", "ok")[0]["message"]


def test_apps_and_providers_that_are_missing(cli: Cli, services: Services):
    """A provider in use without its app, or without an entry, is named with what to do."""
    cli("connections", "import", cli.file("c.jsonl", [
        {"organization_id": "o", "provider": "google", "external_id": "g", "refresh_token": "r"},
    ]))  # fmt: skip
    assert "refresher apps set google" in found(cli, "apps", "fail")[0]["mend"]
    run(services, "update refresh_schedule set parked_reason = 'unknown_provider'")
    assert "REFRESHER_PROVIDERS_FILE" in found(cli, "providers", "fail")[0]["mend"]


def test_secrets_that_no_key_opens(cli: Cli):
    """A lost key is found by trying stored secrets; an older key is fine."""
    cli.connect("c1", "c2")
    old = cli.env["REFRESHER_ENCRYPTION_KEYS"]
    new = cli("encryption", "new-key").stdout.strip()
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = f"{new},{old}"
    assert "5 of them with an older key" in found(cli, "secrets", "ok")[0]["message"]
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = new
    assert "5 of 5 stored secrets" in found(cli, "secrets", "fail")[0]["message"]


def test_redis_is_looked_at(cli: Cli, redis_url: str):
    """With the transport redis, Redis must answer, be ours alone, and evict nothing."""
    cli.env |= {"REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "redis", "REDIS_URL": redis_url}
    assert [f["check"] for f in found(cli, "redis", "ok") + found(cli, "redis memory", "ok")]
    assert found(cli, "redis database", "ok")
    assert "dramatiq refresher.actors" in found(cli, "worker", "warn")[0]["mend"]
    with redis.Redis.from_url(redis_url) as client:
        client.set("session:1", "x")
        client.set("dramatiq:default", "x")
        client.config_set("maxmemory", "100mb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "1 of the first 2 keys" in found(cli, "redis database", "warn")[0]["message"]
            assert "noeviction" in found(cli, "redis memory", "warn")[0]["mend"]
        finally:
            client.config_set("maxmemory", "0")
            client.config_set("maxmemory-policy", "noeviction")


def test_redis_that_does_not_answer(cli: Cli):
    """A Redis that is away is told without its password; the other checks go on."""
    cli.env |= {
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": "redis",
        "REDIS_URL": "redis://:hunter2@127.0.0.1:9/0",
    }
    finding = found(cli, "redis", "fail")[0]
    assert "cannot be used" in finding["message"]
    assert "hunter2" not in str(finding)
    assert found(cli, "database", "ok")


def test_every_reason_has_its_mend():
    """No connection is parked for a reason that nobody can do anything about."""
    assert set(MENDS) == set(ParkReason)
    assert set(ParkReason) > ON_PURPOSE
    assert mend("paused", uuid4()) != mend("paused")
    assert mend("a reason of a newer version") is None


def test_a_job_that_fails_again_and_again(cli: Cli, services: Services, scheduler: None):
    """What a living process noted of its jobs is wrong, with job, process and reason."""
    assert found(cli, "jobs", "fail") == []
    run(services, 'update worker set failing = \'{"mail": "cannot subtract"}\'')
    (told,) = found(cli, "jobs", "fail")
    assert "job mail of the scheduler on here (process 1) fails again and again" in told["message"]
    assert told["message"].endswith("cannot subtract")
