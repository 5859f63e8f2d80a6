"""`refresher spool`: what Postgres does not take is shown, stored when it can be, or given up."""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from refresher.rules.connection import Sealed, Secret
from refresher.runtime.services import Services, build
from refresher.settings import load
from tests.cli.kit import Cli


@pytest.fixture
def services(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    """A worker's services, on the command line's database and machine."""
    cli.env["REFRESHER_DATA_DIRECTORY"] = str(tmp_path / "data")
    for name, value in cli.env.items():
        monkeypatch.setenv(name, value)
    opened = build(load())
    yield opened
    opened.close()


def test_a_pair_that_is_refused_is_shown_until_it_is_stored(cli: Cli, services: Services) -> None:
    """`list` says why, without a token; `retry` stores it once Postgres takes it."""
    id_ = put(cli, services, "new-refresh")
    run(services, "alter table connection add check (credential_version < 2) not valid")
    failed = cli("spool", "retry")
    assert failed.code == 1
    assert "violates check constraint" in failed.stdout
    (entry,) = cli("spool", "list", "--json").lines
    assert (entry["what"], entry["connection"]) == ("token pair", str(id_))
    assert entry["why"] == "the disk was full"
    shown = cli("spool", "list")
    assert "the disk was full" in shown.stdout
    assert "new-refresh" not in shown.stdout + failed.stdout
    assert "the disk was full" in finding(cli)["message"]
    run(services, "alter table connection drop constraint connection_credential_version_check")
    stored = cli("spool", "retry", entry["entry"], "--json").json
    assert stored == {"entry": entry["entry"], "done": True, "why": None}
    assert token(services, id_) == "new-refresh"
    assert "PostgreSQL has every token pair" in cli("spool", "list").stderr
    assert finding(cli)["level"] == "ok"


def test_an_answer_that_could_not_be_read_is_shown_as_one(cli: Cli, services: Services) -> None:
    """`list` tells it from a token pair, `retry` stores it, and `answers list` has it then."""
    id_ = put(cli, services, "new-refresh")
    (text,) = services.spool.entries()
    services.spool.remove([text])
    pair = json.loads(text)
    body = services.cipher.seal(Secret('{"accessToken": "new"}'), id_, "answer")
    answer = {
        "id": str(uuid7()), "received_at": pair["told_at"], "http_status": 200, "failure": None,
        "content_type": "", "content_encoding": "", "reason": "we could not read it",
        "looks_like_grant": True, "bytes": 22, "body": b64encode(body).decode(),
    }  # fmt: skip
    whose = {name: value for name, value in pair.items() if "token" not in name}
    entry = {**whose, "lease_token": 1, "kind": "unreadable", "due_in_seconds": None,
             "park_reason": "unread_answer", "kept": answer}  # fmt: skip
    services.spool.put([json.dumps(entry)])

    (shown,) = cli("spool", "list", "--json").lines
    assert (shown["what"], shown["connection"]) == ("unread answer", str(id_))
    assert "unread answer" in cli("spool", "list").stdout
    assert "answers that were not read: 1" in finding(cli)["message"]
    assert cli("spool", "retry").code == 0
    (listed,) = cli("answers", "list", "--json").lines
    assert (listed["id"], listed["connection_id"]) == (answer["id"], str(id_))


def test_a_pair_is_given_up_by_a_person_only(cli: Cli, services: Services) -> None:
    """`drop` asks first; then the row that was parked for it is due again with its stored token."""
    id_ = put(cli, services, "new-refresh")
    run(services, "update refresh_schedule set state = 2, parked_reason = 'unstored'")
    cli("connections", "resume", str(id_))
    assert cli.show(str(id_))["parked_reason"] == "unstored", "its stored token is spent"
    cli("spool", "drop", "--all").refused("no terminal", "--yes")
    cli("spool", "drop", "000000000000", "--yes").refused("no entry is called", code=1)
    cli("spool", "drop", "--yes").refused("name the entries", "--all")
    (entry,) = cli("spool", "list", "--json").lines
    assert cli("spool", "drop", entry["entry"], "--yes").code == 0
    assert cli.show(str(id_))["state"] == "idle"
    assert token(services, id_) == "refresh-of-c1"
    assert cli("spool", "list", "--json").lines == []


def test_what_cannot_be_read_is_shown_and_dropped(cli: Cli, services: Services) -> None:
    """Half an entry is set aside by the first try, and stays until somebody drops it."""
    services.spool.put(['{"half": '])
    assert cli("spool", "retry").code == 1
    (entry,) = cli("spool", "list", "--json").lines
    assert "cannot be read" in entry["why"]
    assert finding(cli)["level"] == "fail"
    assert cli("spool", "drop", entry["entry"], "-y").code == 0
    assert services.spool.aside() == []


@pytest.mark.parametrize("command", ["list", "retry", "drop"])
def test_each_command_has_examples(cli: Cli, command: str) -> None:
    """Help ends with commands to copy."""
    assert f"refresher spool {command}" in cli("spool", command, "--help").stdout


def put(cli: Cli, services: Services, refresh_token: str) -> UUID:
    """Spools a pair for a connection, as a worker does; returns the connection's id."""
    cli.connect("c1")
    id_ = UUID(cli.show("c1")["id"])
    sealed = {
        column: b64encode(services.cipher.seal(Secret(refresh_token), id_, column)).decode()
        for column in ("access_token", "refresh_token")
    }
    entry = {
        "connection_id": str(id_),
        "lease_token": 0,
        "credential_version": 1,
        "grant_number": 1,
        "kind": "refreshed",
        "due_in_seconds": 2880.0,
        **sealed,
        "lifetime_seconds": 3600.0,
        "left_seconds": 3600.0,
        "refresh_token_left_seconds": None,
        "scopes": None,
        "told_at": datetime.now(UTC).isoformat(),
        "why": "the disk was full",
    }
    services.spool.put([json.dumps(entry)])
    return id_


def finding(cli: Cli) -> dict[str, str]:
    """Returns what doctor says of the spool."""
    findings = cli("doctor", "--json").json["findings"]
    return next(f for f in findings if f["check"] == "spool")


def token(services: Services, id_: UUID) -> str:
    """Returns the stored refresh token."""
    with services.database.transaction() as db:
        statement = text("select refresh_token from connection where id = :id")
        sealed = db.execute(statement, {"id": id_}).scalar_one()
    return services.cipher.open(Sealed(bytes(sealed)), id_, "refresh_token").reveal()


def run(services: Services, sql: str) -> None:
    """Runs a statement."""
    with services.database.transaction() as db:
        db.execute(text(sql))
