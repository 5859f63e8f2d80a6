"""The command line: import lines, resume, kept fields and scopes, as a person sees them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Cli
from tests.connections.registration.kit import LINE, PAIR, Place
from tests.guard import Guard

Opened = Callable[..., Place]
ENTRY = 'token_url = "{url}/token"\nkeep_fields = ["instance_url", "id_token"]'
NAMES = {"organization_id": "org", "provider": "acme", "external_id": "1042"}
FIELDS = {"instance_url": "https://acme.example", "id_token": "secret-id-token"}
FRESH = {**NAMES, "scopes": ["mail", "files"], "answer": {**PAIR, **FIELDS, "scope": "mail"}}


@pytest.fixture
def cli_of(tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Callable[[Place], Cli]:
    """Returns a command line on the database and the providers file of a place."""
    for name in ("DATABASE_URL", "REFRESHER_API_URL", "REFRESHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return lambda place: Cli(tmp_path, guard.warm, dict(place.env))


def imported(cli: Cli, *lines: dict[str, Any]) -> Any:
    """Imports lines and returns what was told."""
    return cli("connections", "import", cli.file("lines.jsonl", list(lines)), "--json")


def test_import_lines_are_new_reconnect_or_update(
    opened: Opened, cli_of: Callable[[Place], Cli]
) -> None:
    """Each is counted as what it was; an error and a line without tokens are rejected by number."""
    cli = cli_of(opened(ENTRY))
    other = {**NAMES, "external_id": "other"}
    told = imported(cli, FRESH, {**other, "error": "invalid_grant"}, {**other, "name": "Ann"})
    assert (told.code, told.json["created"], told.json["rejected"]) == (1, 1, 2)
    assert "line 2: this is an error of the provider, and no tokens: invalid_grant" in told.stderr
    assert "line 3: no token came: " in told.stderr
    told = imported(cli, {**NAMES, "name": "Ann"})
    assert (told.json["updated"], told.json["reconnected"], told.json["created"]) == (1, 0, 0)
    told = cli("connections", "import", cli.file("again.jsonl", [{**NAMES, "name": "Dee"}, FRESH]))
    assert told.code == 1  # the same connection twice in one file
    assert "0 created, 0 reconnected, 1 updated, 1 rejected" in told.stdout


def test_the_token_comes_with_its_fields_and_inspect_shows_what_is_no_secret(
    opened: Opened, cli_of: Callable[[Place], Cli]
) -> None:
    """`token --json` has them all; `inspect` and `show` tell scopes, and no secret."""
    place = opened(ENTRY)
    cli = cli_of(place)
    place.services.database.simulated_now = None
    assert imported(cli, FRESH).code == 0
    assert cli("token", "1042", "--json").json["kept_fields"] == FIELDS
    assert cli("token", "1042", "--min-ttl", "60", "--json").json["kept_fields"] == FIELDS
    assert cli("token", "1042").stdout.strip() == "access-2"
    seen = cli("inspect", "1042", "--json")
    assert seen.json["kept_fields"] == {"instance_url": "https://acme.example"}
    assert (seen.json["scopes"], seen.json["granted_scopes"]) == (["mail", "files"], ["mail"])
    shown = cli("connections", "show", "1042", "--json")
    assert shown.json["missing_scopes"] == ["files"]
    plain = cli("inspect", "1042").stdout + cli("connections", "show", "1042").stdout
    assert "https://acme.example" in plain
    assert "secret-id-token" not in plain + seen.stdout + shown.stdout


def test_sealed_fields_move_to_a_new_key(opened: Opened, cli_of: Callable[[Place], Cli]) -> None:
    """`encryption rotate` reseals them with the tokens, and nothing needs the old key afterwards."""
    cli = cli_of(opened(ENTRY))
    assert imported(cli, FRESH).code == 0
    new = json.loads(json.dumps(cli("encryption", "new-key").stdout.strip()))
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = f"{new},{cli.env['REFRESHER_ENCRYPTION_KEYS']}"
    assert cli("encryption", "rotate").code == 0
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = new
    assert cli("token", "1042", "--even-expired", "--json").json["kept_fields"] == FIELDS


def test_resuming_what_waits_for_nothing_says_so(
    opened: Opened, cli_of: Callable[[Place], Cli]
) -> None:
    """It is no lie about a schedule that did not change, and no error either."""
    place = opened(ENTRY)
    cli = cli_of(place)
    id_ = place.take({**LINE, "expires_in": 3600})
    due = place.row(id_).due_at
    told = cli("connections", "resume", "1042")
    assert told.code == 0
    assert "nothing to resume: it is active" in told.stdout
    told = cli("connections", "resume", "1042", "--json")
    assert told.json["note"] == "nothing to resume: it is active"
    assert place.row(id_).due_at == due
    assert place.events(id_) == ["imported"]
    assert cli("connections", "pause", "1042").code == 0
    assert "is resumed" in cli("connections", "resume", "1042").stdout
