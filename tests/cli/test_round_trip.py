"""Ten thousand connections of all kinds, from one installation into another: nothing is lost, or shown.

Two real processes with databases and keys of their own; on the way there is the file, what both print,
and what either leaves behind.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from refresher.connections.exporting import opened
from refresher.devkit.oauth_server import FakeProvider
from refresher.runtime.cipher import new_key
from refresher.runtime.services import Services, build
from refresher.settings import load
from refresher.store import state_changes
from refresher.store.exporting import Which, pages, snapshot
from tests.cli.kit import Cli
from tests.export.kit import ODD

NUMBER, REAL = 10_000, 20
CANARY = "canary"
PROVIDERS = """
[providers.acme]
token_url = "{url}/token"
access_token_lifetime_seconds = 3600
keep_fields = ["plan", "id_token"]
slots.user = {{ path = ["authed_user"] }}

[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"

[providers.hosted]
token_url = "https://{{host}}/{{tenant}}/token"
client_auth = "none"
host_pattern = '[a-z]+\\.hosted\\.example'
placeholders.tenant = "[a-z]+"
"""
STATES = {
    "paused": (0.1, "paused"),
    "disabled": (0.05, "disabled"),
    "deleted": (0.02, "deleted"),
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def services_of(cli: Cli) -> Services:
    """Opens the services of a command line."""
    env = cli.env
    return build(
        load(
            database_url=env["DATABASE_URL"],
            encryption_keys=env["REFRESHER_ENCRYPTION_KEYS"],
            providers_file=env["REFRESHER_PROVIDERS_FILE"],
        )
    )


@pytest.fixture
def here(cli: Cli) -> Iterator[Cli]:
    """An installation whose provider is real, as far as a fake one is."""
    with FakeProvider() as provider:
        file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
        file.write_text(PROVIDERS.format(url=provider.url))
        assert (
            cli("apps", "set", "acme", "--name", "eu", "--client-id", "eu", "--no-secret").code == 0
        )
        rows = list(lines(Random(22), provider))
        ran = cli("connections", "import", cli.file("first.jsonl", rows), "--json")
        assert (ran.code, ran.json["created"]) == (0, NUMBER), ran.stderr
        (cli.folder / "first.jsonl").unlink()
        services = services_of(cli)
        put_into_states(services, Random(23))
        services.close()
        yield cli


@pytest.fixture
def there(here: Cli, other_database_url: str) -> Cli:
    """An empty one with other keys, a database of its own, and the same providers."""
    folder = here.folder / "there"
    folder.mkdir()
    env = {"DATABASE_URL": other_database_url, "REFRESHER_ENCRYPTION_KEYS": new_key()}
    made = Cli(folder, here.warm, here.env | env)
    assert made("apps", "set", "acme", "--name", "eu", "--client-id", "eu", "--no-secret").code == 0
    return made


def lines(dice: Random, provider: FakeProvider) -> Iterator[dict[str, Any]]:
    """Yields import lines of all kinds; the first are real grants."""
    for grant in provider.admin.create_grants(REAL, prefix="real-"):
        yield made(dice, 0, grant.external_id) | {
            "access_token": grant.access_token,
            "refresh_token": grant.refresh_token,
        }
    for number in range(REAL, NUMBER):
        yield of_kind(number % 10, made(dice, number, f"c-{number}"), number)


def of_kind(kind: int, line: dict[str, Any], number: int) -> dict[str, Any]:
    """Returns a line made one of the kinds that there are; most are ordinary."""
    tokens = {name: line[name] for name in ("access_token", "refresh_token", "expires_in")}
    bare = {name: value for name, value in line.items() if name not in tokens}
    told = {"scope": "read äß", "plan": ODD, "id_token": f"{CANARY}-id-{number}"}
    ends = {"expires_in": 0, "refresh_token_expires_in": 90 * 86_400}
    place = {"host": "eu.hosted.example", "placeholders": {"tenant": "xy"}}
    kinds = {
        0: {**bare, "answer": {**tokens, **told, "authed_user": user_of(number)}},
        1: {**bare, "root_external_id": f"c-{number + 1}"},
        2: {**line, "refresh_token": f"{CANARY}-{'long' * 15_000}-{number}"},
        3: {**line, "provider": "hosted", **place},
        4: {**line, "app": "eu", **ends},
        5: {**line, "slots": {"user": user_of(number)}},
        6: {**bare, "in_between_steps": True} if number % 100 == 6 else line,
    }
    return kinds.get(kind, line)


def user_of(number: int) -> dict[str, Any]:
    """Returns the token of a slot."""
    return {
        "access_token": f"{CANARY}-user-a-{number}",
        "refresh_token": f"{CANARY}-user-r-{number}",
        "expires_in": 900,
    }


def made(dice: Random, number: int, external_id: str) -> dict[str, Any]:
    """Returns an ordinary line, with odd names now and then."""
    return {
        "organization_id": f"org-{number % 37}" if number % 10 not in {1, 2} else "org-roots",
        "provider": "acme",
        "external_id": external_id,
        "access_token": f"{CANARY}-a-{number}",
        "refresh_token": f"{CANARY}-r-{number}",
        "expires_in": dice.choice([60, 3600, 86_400]),
        "name": dice.choice([ODD, "Ann", None]),
        "scopes": dice.choice([["mail"], [], None]),
        "metadata": dice.choice([{}, {"a": [1, 2.5, None, {"ß": ODD}]}, None]),
    }


def put_into_states(services: Services, dice: Random) -> None:
    """Pauses, disables, deletes some, and ends the grants of others."""
    with services.database.transaction() as db:
        ids = list(
            db.execute(
                text(
                    "select id from connection where slot_of is null and external_id like 'c-%' "
                    "and not exists (select from connection s where s.root_id = connection.id) "
                    "order by id"
                )
            ).scalars()
        )
        for share, how in STATES.values():
            state_changes.stop_all(db, dice.sample(ids, int(len(ids) * share)), how)
        dead = dice.sample(ids, 400)
        db.execute(
            text(
                "update connection set status = 'reconnect_required', status_cause = 'invalid_grant', "
                "trouble = 'reconnect_required' where id = any(:ids) and root_id is null"
            ),
            {"ids": dead},
        )
        db.execute(
            text(
                "update refresh_schedule set state = 2, parked_reason = 'reconnect_required' "
                "where connection_id = any(:ids) and state = 0"
            ),
            {"ids": dead},
        )
        db.execute(
            text(
                "update connection set account = external_id, account_label = name, "
                "grant_ends_at = now() + interval '40 days' where slot_of is null and name is not null"
            )
        )


def everything(cli: Cli) -> dict[str, Any]:
    """Returns all tokens that are stored, in the clear, by the connection's id."""
    services = services_of(cli)
    try:
        with snapshot(services.database) as db:
            whole = [pair for page in pages(db, Which()) for pair in page]
        return {str(row["id"]): opened(services.cipher, row, slots) for row, slots in whole}
    finally:
        services.close()


def inventory(cli: Cli) -> list[Any]:
    """Returns the lines of an export without tokens, but for the header."""
    ran = cli("connections", "export", "--out", "-")
    assert ran.code == 0, ran.stderr
    assert CANARY not in ran.stdout + ran.stderr
    return ran.lines[1:]


def test_ten_thousand_connections_move_whole_and_unseen(here: Cli, there: Cli) -> None:
    """Field by field by a third export, token by token opened; and what is refreshed there is fresh."""
    before, tokens = inventory(here), everything(here)
    key = there.process("encryption", "new-receiving-key", "--out", "receiver.key")
    moving = here.folder / "moving.jsonl"
    out = here.process(
        *("connections", "export", "--pause", "--yes", "--json", "--seal-to", key.stdout.strip()),
        *("--out", moving),
    )
    assert out.code == 0, out.stderr
    assert out.json["exported"] == len(before) - 1 == len(tokens)
    assert stat.S_IMODE(moving.stat().st_mode) == 0o600
    into = there.process("connections", "import", moving, "--key-file", "receiver.key", "--json")
    assert into.code == 0, into.stderr
    assert (into.json["created"], into.json["rejected"]) == (len(tokens), 0)
    # Nothing is lost
    after = inventory(there)
    assert after[-1] == before[-1]
    assert [differing(*pair) for pair in zip(before, after, strict=True) if differing(*pair)] == []
    assert everything(there) == tokens
    # Nothing was in the clear on the way
    held = [path for path in here.folder.rglob("*") if path.is_file()]
    assert [path for path in held if CANARY in path.read_text(errors="replace")] == []
    assert CANARY not in out.stdout + out.stderr + into.stdout + into.stderr
    # Nobody is told, and it goes on there, and here no more
    services = services_of(there)
    with services.database.transaction() as db:
        assert db.execute(text("select count(*) from outbox")).scalar_one() == 0
    services.close()
    again = there.process("connections", "import", moving, "--key-file", "receiver.key", "--json")
    assert (again.code, again.json["unchanged"]) == (0, len(tokens)), again.stderr
    for name in ("real-0", "real-7", "real-19"):
        refreshed = there.process("connections", "refresh", name, "--json")
        assert refreshed.code == 0, refreshed.stderr
    assert here("connections", "refresh", "real-1").code != 0


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that are not the same; how it stands may have changed by itself meanwhile."""
    moving = {"health", "parked_reason"}
    names = {*before, *after} - moving
    return {n: (before.get(n), after.get(n)) for n in names if before.get(n) != after.get(n)}
