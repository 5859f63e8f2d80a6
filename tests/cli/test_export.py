"""`connections export` and the import of what it wrote, as people type them."""

import json
import signal
import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest

from refresher.runtime.cipher import new_key
from tests.cli.kit import Cli, Ran
from tests.waiting import wait_until

ODD = "Zoë 👩‍👩‍👧 \N{RIGHT-TO-LEFT OVERRIDE}ירושלים"


def lines(path: Path) -> list[Any]:
    """Returns what a file of JSON Lines holds."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def export(cli: Cli, name: str, *options: object) -> tuple[Ran, Path]:
    """Exports into a new file."""
    file = cli.folder / name
    return cli("connections", "export", "--out", file, *options), file


@pytest.fixture
def pair(cli: Cli) -> tuple[Path, str]:
    """A new pair of keys: the private one's file, and the public one."""
    file = cli.folder / "receiver.key"
    made = cli("encryption", "new-receiving-key", "--out", file)
    assert (made.code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600), made.stderr
    return file, made.stdout.strip()


@pytest.fixture
def there(cli: Cli, other_database_url: str) -> Cli:
    """A second installation, with a database and keys of its own."""
    env = {"DATABASE_URL": other_database_url, "REFRESHER_ENCRYPTION_KEYS": new_key()}
    return Cli(cli.folder, cli.warm, cli.env | env)


def test_without_tokens_it_is_an_inventory(cli: Cli, there: Cli):
    """A header, a line each, the end, and no token. Elsewhere it updates, and makes nothing."""
    cli.connect("c1", name=ODD, scopes=["mail"], metadata={"big": 2**53})
    ran, file = export(cli, "all.jsonl", "--json")
    assert ran.code == 0, ran.stderr
    assert (ran.json["exported"], ran.json["tokens"]) == (1, "none")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    header, one, end = lines(file)
    assert (header["refresher_export"], header["tokens"]) == (1, "none")
    assert (one["external_id"], one["name"], one["metadata"]) == ("c1", ODD, {"big": 2**53})
    assert (one["status"], one["health"]) == ("active", "fresh")
    assert end == {"refresher_export_end": 1}
    assert "of-c1" not in file.read_text()
    told = cli("keys", "audit", "--json").lines[-2:]
    subject = [(e["action"], e["subject"], e["organization_id"], e["count"]) for e in told]
    assert subject == [
        ("export_begun", "without tokens", None, 1),
        ("exported", "without tokens", "org", 1),
    ]
    export(cli, "all.jsonl")[0].refused("all.jsonl exists already")
    lacking = there("connections", "import", file)
    assert (lacking.code, "line 2: there is no such connection here" in lacking.stderr) == (1, True)
    there.connect("c1")
    for counted in ("1 updated", "1 unchanged"):
        assert counted in there("connections", "import", file).stdout
    assert there.show("c1")["name"] == ODD


def test_sealed_tokens_move_to_whoever_has_the_key(cli: Cli, there: Cli, pair: tuple[Path, str]):
    """Nobody else reads them; another key, none, changed and swapped lines, half a file are told."""
    cli.connect("c1", "c2")
    ran, file = export(cli, "moving.jsonl", "--seal-to", pair[1], "--pause", "--yes")
    assert ran.code == 0, ran.stderr
    assert "2 connections exported" in ran.stdout
    assert "paused here until `refresher connections resume-exported`" in ran.stderr
    assert "of-c" not in file.read_text()
    there("connections", "import", file).refused("sealed to key", "--key-file")
    other = cli.folder / "other.key"
    cli("encryption", "new-receiving-key", "--out", other)
    there("connections", "import", file, "--key-file", other).refused("sealed to key")
    bad = cli.folder / "bad.jsonl"
    header, first, second, _end = file.read_text().splitlines()
    swapped = {**json.loads(first), "sealed": json.loads(second)["sealed"]}
    moved = {**json.loads(second), "organization_id": "mine"}
    bare = {n: v for n, v in json.loads(second).items() if n != "sealed"}
    wrong = [json.dumps(one) for one in (swapped, moved, bare)]
    bad.write_text("\n".join([header, *wrong, first[:300]]))
    ran = there("connections", "import", bad, "--key-file", pair[0])
    assert (ran.code, there("connections", "list", "--json").lines) == (1, [])
    told = [line for line in ran.stderr.splitlines() if line.startswith("line ")]
    assert [line.partition(":")[0] for line in told] == ["line 2", "line 3", "line 4", "line 5"]
    assert "the line was changed, cut, or is of another export" in told[0]
    assert "The end of the export is missing" in ran.stderr
    rehearsed = there("connections", "import", file, "--key-file", pair[0], "--dry-run", "--json")
    assert (rehearsed.code, rehearsed.json["created"]) == (0, 2)
    assert there("connections", "import", file, "--key-file", pair[0]).code == 0
    assert there("token", "c2").stdout == "access-of-c2\n"
    assert there.show("c1")["health"] == "fresh"
    assert cli.show("c1")["health"] == "paused"
    back = cli("connections", "resume-exported", "--yes")
    assert (back.stdout, cli.show("c1")["health"]) == ("2 connections resumed.\n", "fresh")


def test_tokens_in_the_clear_need_a_sentence(cli: Cli, there: Cli):
    """Never to stdout; without a terminal by a long option; into a file of the owner's alone."""
    cli.connect("c1")
    cli("connections", "export", "--out", "-", "--clear-tokens").refused("never to stdout")
    ran, file = export(cli, "clear.jsonl", "--clear-tokens")
    ran.refused("--yes-i-want-tokens-in-the-clear")
    assert not file.exists()
    ran, file = export(cli, "clear.jsonl", "--clear-tokens", "--yes-i-want-tokens-in-the-clear")
    assert (ran.code, stat.S_IMODE(file.stat().st_mode)) == (0, 0o600)
    assert "can use every account in it" in ran.stderr
    assert lines(file)[1]["access_token"] == "access-of-c1"
    assert there("connections", "import", file).code == 0
    assert there("token", "c1").stdout == "access-of-c1\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--seal-to", "refresher-private-key-1:x"], "that is the private key"),
        (["--seal-to", "refresher-public-key-1:x"], "no public key stands there"),
        (["--seal-to", "nowhere.pub"], "nowhere.pub cannot be read"),
        (["--seal-to", "providers.toml"], "no public key stands there"),
        (["--pause"], "give --seal-to as well"),
        (["--organization", "a\x00b"], "control character"),
    ],
)
def test_what_does_not_go_together_is_refused(cli: Cli, options: list[str], sentence: str):
    """In one sentence, and before anything is paused or written."""
    ran, file = export(cli, "x.jsonl", *options)
    ran.refused(sentence)
    assert not file.exists()


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"refresher_export": 2}, "this export has the format 2"),
        ({"refresher_export": 1, "tokens": "none"}, "first line is damaged"),
        ({"refresher_export": 1, "tokens": "x", "exported_at": "2030-01-01T00:00Z"}, "damaged"),
    ],
)
def test_a_header_that_is_not_understood_stops_the_import(cli: Cli, header: Any, sentence: str):
    """Another format, or a damaged one: nothing is read behind it."""
    cli("connections", "import", cli.file("x.jsonl", [header, {}])).refused(sentence)


def test_an_interrupted_export_leaves_nothing(cli: Cli):
    """Neither under its name nor beside it: half an export is none."""

    def names() -> list[str]:
        return [path.name for path in cli.folder.iterdir() if "x.jsonl" in path.name]

    url = cli.env["DATABASE_URL"].replace("+psycopg", "")
    with (
        psycopg.connect(url) as db,
        cli.running("connections", "export", "--out", "x.jsonl") as ran,
    ):
        db.execute("lock table connection in access exclusive mode")
        wait_until(names)
        ran.send_signal(signal.SIGTERM)
        assert ran.wait(60) == 130
    assert names() == []
