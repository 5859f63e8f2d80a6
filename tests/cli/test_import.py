"""`connections import`: what is taken, what is rejected, and what is told about it."""

import gzip
import json
import signal
import stat
from pathlib import Path
from random import Random
from typing import Any

import pytest

from refresher.cli.import_run import MAX_LINE_BYTES
from tests.cli.kit import Cli, row
from tests.waiting import wait_until


def rejects(path: Path) -> list[Any]:
    """What a rejects file holds."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_file_becomes_scheduled_connections(cli: Cli):
    """Each line is stored and due in time; the same file again reconnects, and doubles nothing."""
    file = cli.file("c.jsonl", [row("c1"), "", row("c2", metadata={"plan": "pro"}), "  "])
    first = cli("connections", "import", file, "--json")
    assert first.code == 0
    told = first.json
    assert told.pop("seconds") > 0
    assert told == {"read": 2, "created": 2, "reconnected": 0, "updated": 0, "rejected": 0}
    assert cli.show("c1")["state"] == "idle"
    again = cli("connections", "import", file)
    assert "2 read" in again.stdout
    assert "0 created, 2 reconnected, 0 rejected" in again.stdout
    assert len(cli("connections", "list", "--json").lines) == 2


def test_stdin_is_read_as_it_comes(cli: Cli):
    """`import -` reads stdin, with a byte order mark, Windows line ends and no end of line."""
    text = "\N{ZERO WIDTH NO-BREAK SPACE}" + "\r\n".join(json.dumps(row(c)) for c in ("c1", "c2"))
    ran = cli.process("connections", "import", "-", "--json", stdin=text.encode())
    assert (ran.code, ran.json["created"]) == (0, 2), ran.stderr


def test_five_thousand_rows_with_some_bad_ones(cli: Cli):
    """Many chunks are stored; bad lines are told by number, twenty of them, and all are kept."""
    # Given 5,000 lines, of which every hundredth is bad
    rows: list[Any] = [row(f"c{n}") for n in range(1, 5001)]
    for n in range(100, 5001, 100):
        rows[n - 1] = row(f"c{n}", expires_in=-1)
    file = cli.file("big.jsonl", rows)
    # When it is imported
    ran = cli("connections", "import", file, "--json")
    # Then the others are stored
    assert ran.code == 1
    counted = {name: ran.json[name] for name in ("read", "created", "reconnected", "rejected")}
    assert counted == {"read": 5000, "created": 4950, "reconnected": 0, "rejected": 50}
    assert "line 100: expires_in is negative" in ran.stderr
    assert ran.stderr.count("expires_in is negative") == 20
    assert "30 more" in ran.stderr
    # And the bad ones can be mended and imported alone
    kept = rejects(cli.folder / "big.jsonl.rejects.jsonl")
    assert [entry["line"] for entry in kept] == list(range(100, 5001, 100))
    assert json.loads(kept[0]["input"]) == rows[99]


def test_the_rejects_file_is_for_its_owner_alone(cli: Cli):
    """Rejected lines hold tokens: their file has mode 0600, also when it was there before."""
    kept = cli.folder / "mine"
    kept.touch(mode=0o644)
    bad = row("c1", provider="nobody", name="\u00e4")
    ran = cli("connections", "import", cli.file("c.jsonl", [bad]), "--rejects", kept)
    assert (ran.code, str(kept) in ran.stderr) == (1, True)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert rejects(kept)[0]["input"] == json.dumps(bad)


def test_a_mended_file_leaves_no_old_rejects(cli: Cli):
    """When nothing is rejected any more, the rejects file of the last time goes."""
    file = cli.file("c.jsonl", ["{"])
    cli("connections", "import", file)
    kept = cli.folder / "c.jsonl.rejects.jsonl"
    assert kept.exists()
    cli("connections", "import", cli.file("c.jsonl", [row("c1")]))
    assert not kept.exists()


def holding(metadata: str) -> str:
    """A line whose metadata are this JSON text."""
    return json.dumps(row("m"))[:-1] + f', "metadata": {metadata}}}'


BAD_LINES: list[tuple[Any, str]] = [
    (row("c", provider="gogle"), 'no provider is called "gogle" (did you mean "google"?)'),
    (row("c", provider=None), "provider is missing"),
    (row("c", expires_in=None, expires_at="tomorrow"), "expires_at must be a date and time"),
    (row("c", expires_in=None, expires_at="2030-01-01T00:00:00"), "with its offset"),
    (row("c", expires_at="2030-01-01T00:00:00Z"), "give expires_in or expires_at, not both"),
    (row("c", expires_in=-5), "expires_in is negative"),
    (row("c", expires_in="soon"), "expires_in must be a number of seconds"),
    (row("c", expires_in=1e400), "the line is not JSON"),
    (row("c", access_token="x" * 102_400), "access_token is 102,400 characters long"),
    (row("c", access_token="a\x00b"), "access_token contains characters that no token may have"),
    (row("c", refresh_token="a\x1b[2Jb"), "refresh_token contains characters that no token"),
    (row("c", name="a\x07"), "name contains a control character"),
    (row("c", acces_token="x"), 'no field "acces_token" (did you mean "access_token"?)'),
    (row("c", access_token=None, refresh_token=None, root_external_id="gone"), "import the root"),
    (row("c", root_external_id="c"), "root_external_id is the connection's own external_id"),
    (row("c", metadata=[1]), "metadata must be a JSON object"),
    (holding('{"n": 1e400}'), "the line is not JSON: number is infinity"),
    (holding('{"n": "\\u0000"}'), "metadata contains a NUL character"),
    (holding('{"a": ' * 900 + "1" + "}" * 900), "metadata is nested more than 100 levels deep"),
    (holding('{"a": ' * 3000 + "1" + "}" * 3000), "the line is not JSON: depth limit exceeded"),
    ("{", "the line is not JSON"),
    ('"text"', "the line must be one JSON object"),
    (b'{"name": "\xff"}', "the line is not UTF-8 text"),
    ('{"name": "' + "x" * MAX_LINE_BYTES + '"}', "the line is longer than 1 MB"),
    ('{"name": "\\ud800"}', "the line is not JSON"),
]


def test_each_bad_line_has_its_reason(cli: Cli):
    """Whatever is wrong with a line, it is rejected alone, in one sentence that names the field."""
    # Given every kind of bad line, each between two good ones
    lines = [line for n, (bad, _) in enumerate(BAD_LINES) for line in (row(f"good-{n}"), bad)]
    ran = cli("connections", "import", cli.file("bad.jsonl", [*lines, row("last")]), "--json")
    # Then only they are rejected, each for its reason
    kept = {entry["line"]: entry for entry in rejects(cli.folder / "bad.jsonl.rejects.jsonl")}
    wrong = [
        (bad if isinstance(bad, dict) else bad[:50], part, kept.get(2 * n + 2, {}).get("reason"))
        for n, (bad, part) in enumerate(BAD_LINES)
        if part not in kept.get(2 * n + 2, {}).get("reason", "")
    ]
    assert wrong == []
    assert (ran.json["created"], ran.json["rejected"]) == (len(BAD_LINES) + 1, len(BAD_LINES))
    # And no reason repeats what the line held
    assert not any(
        "access-of" in entry["reason"] or "\n" in entry["reason"] for entry in kept.values()
    )


def test_what_the_database_refuses_is_rejected_alone(cli: Cli):
    """A connection that passes every rule and fails in the database does not take others along."""
    # Given ids that no rule forbids, too long together for the index that keeps them apart
    signs = Random(1).choices(range(0x20000, 0x2A000), k=1_024)
    long = ["".join(map(chr, half)) for half in (signs[:512], signs[512:])]
    rows = [row(f"c{n}") for n in range(9)]
    rows.insert(5, row(long[0], organization_id=long[1], access_token="a", refresh_token="r"))
    # When they are imported together
    ran = cli("connections", "import", cli.file("c.jsonl", rows), "--json")
    # Then the one is rejected, in the database's words
    assert (ran.json["created"], ran.json["rejected"]) == (9, 1)
    assert "line 6: the database refuses: index row size" in ran.stderr


def test_a_line_that_is_not_text_is_kept_byte_for_byte(cli: Cli):
    """A rejected line that is not UTF-8 is kept in base64; one without end, by its beginning."""
    endless = b"x" * (3 * MAX_LINE_BYTES)
    cli("connections", "import", cli.file("c.jsonl", [b"x", b"\xff\xfe", endless, row("c1")]))
    kept = rejects(cli.folder / "c.jsonl.rejects.jsonl")
    assert kept[1]["input_base64"] == "//4="
    assert (kept[2]["line"], kept[2]["cut"], len(kept[2]["input"])) == (3, True, MAX_LINE_BYTES)
    assert cli.show("c1")["state"] == "idle"


def test_a_missing_refresh_token_is_told(cli: Cli):
    """A connection with nothing to refresh with is stored, parked with that reason, and told."""
    ran = cli("connections", "import", cli.file("c.jsonl", [row("c1", refresh_token=None)]))
    assert ran.code == 0
    assert "Parked now, nothing_to_refresh_with: 1; " in ran.stderr
    assert cli.show("c1")["parked_reason"] == "nothing_to_refresh_with"


def test_a_connection_stands_in_a_file_once(cli: Cli):
    """The second of two lines for one connection is rejected, and names the first."""
    ran = cli("connections", "import", cli.file("c.jsonl", [row("c1"), row("c2"), row("c1")]))
    assert "line 3: the same connection stands in line 1 already" in ran.stderr
    assert ran.code == 1


def test_a_root_may_stand_below_those_that_share_its_grant(cli: Cli):
    """Roots and siblings come in any order, and in any chunk; a sibling of no root is rejected."""
    sibling = {"access_token": None, "refresh_token": None, "expires_in": None}
    rows = [row("page", root_external_id="root", **sibling)]
    rows += [row(f"filler-{n}") for n in range(2_001)]
    rows += [row("root"), row("late", root_external_id="root", **sibling)]
    rows += [row("orphan", root_external_id="nobody", **sibling)]
    ran = cli("connections", "import", cli.file("c.jsonl", rows), "--json")
    assert (ran.json["created"], ran.json["rejected"]) == (2_004, 1)
    assert "import the root first" in ran.stderr
    root = cli.show("root")
    assert {cli.show(name)["root_id"] for name in ("page", "late")} == {root["id"]}
    assert len(root["siblings"]) == 2


def test_import_goes_on_with_a_line(cli: Cli):
    """--from-line leaves out what stands before it, and keeps the numbers of the file."""
    file = cli.file("c.jsonl", [row("c1"), "{", row("c3"), "{"])
    ran = cli("connections", "import", file, "--from-line", 3, "--json")
    assert (ran.json["created"], ran.json["rejected"]) == (1, 1)
    assert "line 4" in ran.stderr
    assert "line 2" not in ran.stderr


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"\xff\xfe{\x00}\x00", "UTF-16"),
        (gzip.compress(b"{}\n", mtime=0), "zcat"),
        (b'\n[\n  {"provider": "acme"}]', ""),
        (b'[{"provider": "acme"}]', "jq -c"),
    ],
)
def test_another_kind_of_file_is_named(cli: Cli, content: bytes, part: str):
    """What is no JSON Lines at all is refused as a whole, with what to do."""
    (cli.folder / "c").write_bytes(content)
    ran = cli("connections", "import", cli.folder / "c")
    if part:
        ran.refused(part)
    else:
        assert ran.code == 1


def test_a_file_that_cannot_be_read_is_one_sentence(cli: Cli):
    """A missing file, a folder, and rejects that overwrite the input are refused before anything."""
    file = cli.file("c.jsonl", [row("c1")])
    cli("connections", "import", "missing.jsonl").refused("missing.jsonl does not exist")
    cli("connections", "import", cli.folder).refused("is a directory")
    cli("connections", "import", file, "--rejects", file).refused("is the file to import")
    cli("connections", "import", file, "--rejects", cli.folder).refused("is a directory")
    cli("connections", "import", file, "--rejects", "no/such/x").refused("cannot be written to")
    assert cli("connections", "list", "--json").stdout == ""


def test_importing_needs_a_key_that_is_one(cli: Cli):
    """Without a key nothing is stored, and the sentence names the command that makes one."""
    file = cli.file("c.jsonl", [row("c1")])
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = "hunter2"
    ran = cli("connections", "import", file)
    ran.refused("not 32 bytes", "refresher encryption new-key")
    assert "hunter2" not in ran.stderr
    del cli.env["REFRESHER_ENCRYPTION_KEYS"]
    cli("connections", "import", file).refused("is not set", "refresher encryption new-key")


def test_an_unreachable_database_is_one_sentence(cli: Cli):
    """A database that is away ends in a sentence without its password, exit code 3."""
    file = cli.file("c.jsonl", [row("c1")])
    ran = cli.process(
        "connections", "import", file, DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/x"
    )
    ran.refused("127.0.0.1:9", "cannot be used", code=3)
    assert "hunter2" not in ran.stderr


def test_an_import_needs_a_migrated_database(bare: Cli, bare_database_url: str):
    """Before anything is read, a database without tables ends in a sentence, exit code 4."""
    bare.env |= {
        "DATABASE_URL": bare_database_url,
        "REFRESHER_ENCRYPTION_KEYS": bare("encryption", "new-key").stdout.strip(),
    }
    bare("connections", "import", bare.file("c", ["{}"])).refused("refresher migrate", code=4)


@pytest.mark.slow
def test_an_interrupted_import_tells_where_to_go_on(cli: Cli):
    """Ctrl-C leaves whole chunks, and says with which line to go on."""
    # Given an import from a pipe that has got 2,000 of its lines
    lines = b"".join(json.dumps(row(f"c{n}")).encode() + b"\n" for n in range(2_500))
    with cli.running("connections", "import", "-") as process:
        assert process.stdin is not None
        process.stdin.write(lines)
        process.stdin.flush()
        wait_until(lambda: cli("connections", "list", "--limit", 1, "--json").stdout, 30)
        # When it is interrupted, right after its first commit
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=200)
    # Then the first chunk is stored
    assert process.returncode == 130
    assert stderr.decode().splitlines()[-1] == (
        "Lines up to 2000 are dealt with; go on with --from-line 2001."
    )


def test_a_new_import_wins_over_a_parked_connection(cli: Cli):
    """Importing a connection again resumes it, and says that it was a reconnect."""
    cli.connect("c1", refresh_token=None)
    assert cli.show("c1")["state"] == "parked"
    cli.connect("c1")
    assert cli.show("c1")["state"] == "idle"
    assert [event["kind"] for event in cli("events", "c1", "--json").lines] == [
        "imported", "reconnected",
    ]  # fmt: skip
