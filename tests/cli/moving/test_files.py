"""Files of other systems: their forms, and what is no such file."""

import gzip
import io
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from refresher.cli.import_files import BLOCK, entries
from refresher.cli.output import CannotDo, WrongUse
from tests.cli.kit import Cli

ACCOUNT = {
    "userId": "u1", "type": "oauth", "provider": "acme", "providerAccountId": "1042",
    "access_token": "at", "refresh_token": "rt", "expires_at": 4070908800, "scope": "a b",
}  # fmt: skip


def account(number: int, **changed: object) -> dict[str, object]:
    """Returns an account of Auth.js."""
    return {**ACCOUNT, "providerAccountId": str(number), **changed}


def csv_of(*rows: Mapping[str, object], sign: str = ",") -> str:
    """Returns rows as CSV with a header, each value in quotes."""
    lines = [sign.join(rows[0])]
    lines += [sign.join(f'"{value}"' for value in row.values()) for row in rows]
    return "\r\n".join(lines) + "\r\n"


def read(data: bytes | str) -> tuple[str, list[Any]]:
    """Returns what entries are called, and all of them."""
    raw = data if isinstance(data, bytes) else data.encode()
    unit, found = entries(io.BytesIO(raw))
    return unit, [json.loads(line.raw) for line in found]


@pytest.mark.parametrize(
    ("data", "unit"),
    [
        (json.dumps(account(1)) + "\n" + json.dumps(account(2)), "line"),
        (json.dumps([account(1), account(2)]), "entry"),
        (" \n" + json.dumps([account(1), account(2)], indent=2) + "\n", "entry"),
        ("\ufeff" + json.dumps([account(1), account(2)]), "entry"),
    ],
)
def test_forms_of_json(data: str, unit: str):
    """JSON Lines and one array, with blanks or a byte order mark, have the same entries."""
    assert read(data) == (unit, [account(1), account(2)])


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_csv_with_any_separator(sign: str):
    """A record of CSV is an object of texts, a line break within quotes included."""
    texts = [
        {k: str(v) for k, v in account(n, scope='a\n"b'.replace('"', "")).items()} for n in (1, 2)
    ]
    assert read("\ufeff" + csv_of(*texts, sign=sign)) == ("row", texts)
    assert read("a,b\n1,2\n3\n\n") == ("row", [{"a": "1", "b": "2"}, ["3"]])
    assert read('a,b\nNULL,""\n') == ("row", [{"a": None, "b": None}])


def test_an_array_of_many_blocks_is_read_piece_by_piece():
    """Entries that lie across blocks come whole, and letters of several bytes, too."""
    rows = [account(n, scope="ä€😀" * 50) for n in range(2_000)]
    data = json.dumps(rows, ensure_ascii=False)
    assert len(data) > 5 * BLOCK
    assert read(data) == ("entry", rows)
    assert read("[]") == ("entry", [])


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (gzip.compress(b"{}", mtime=0), "compressed: zcat FILE"),
        ("[]".encode("utf-16"), "UTF-16: iconv"),
        (b"PGDMP\x01", "archive of pg_dump"),
        (b"PK\x03\x04", "zip archive"),
        (b"--\n-- PostgreSQL database dump\n", "SQL: psql -AtXc"),
        (b"<!doctype html>", "HTML or XML"),
        (b"\x01\x00\x02", "is binary"),
        (b"just a text\n", "neither JSON nor CSV"),
        (b'[{"a": 1} {"b": 2}]', 'a "," is missing'),
        (b'[{"a": 1}, {"b": ', "entry 2 is no JSON"),
        (b'[{"a": "' + b"x" * 1_100_000, "entry 1 is no JSON, longer than 1 MB"),
        (b'[{"a": "\xff"}]', "is not UTF-8"),
        (b"a,b\n\xff,1\n", "is not UTF-8"),
        (b'a,b\n"' + b"x" * 1_100_000 + b'",1\n', "no CSV that can be read on"),
    ],
)
def test_what_is_no_such_file(data: bytes, part: str):
    """Each other kind of file is named in one sentence, with what makes a good one of it."""
    with pytest.raises((WrongUse, CannotDo)) as raised:
        read(data)
    assert part in str(raised.value)


def test_a_database_in_a_file_is_told(tmp_path: Path):
    """A SQLite file is none that is read, and the sentence says how to export it."""
    with closing(sqlite3.connect(tmp_path / "db.sqlite3")) as db:
        db.execute("create table a (b)")
    with pytest.raises(WrongUse, match="sqlite3 -json"):
        read((tmp_path / "db.sqlite3").read_bytes())


def test_a_csv_of_accounts_is_imported(cli: Cli):
    """Rows become connections; a wrong one is rejected by its number, in words of its system."""
    rows = [account(1), account(2, type="email"), account(3, provider="theirs"), account(4)]
    file = cli.folder / "accounts.csv"
    file.write_text(csv_of(*rows) + "1,2\r\n")
    ran = cli(
        "connections", "import", "--from", "authjs", file, "--provider", "theirs=acme", "--json"
    )
    assert (ran.code, ran.json["created"], ran.json["rejected"]) == (1, 3, 2)
    assert "row 2: it is of the type email" in ran.stderr
    assert "row 5: it is no JSON object, nor a row with as many fields" in ran.stderr
    shown = cli.show("3")
    assert (shown["organization_id"], shown["metadata"]) == (
        "u1",
        {"user_id": "u1", "moved_from": "authjs"},
    )
    assert shown["granted_scopes"] == ["a", "b"]
    # A file of another system is told in a dry run, too, with the first rows.
    ran = cli("connections", "import", "--from", "nango", file, "--dry-run")
    assert "4 would be rejected (row 1, 2, 3, 4): it looks like an export of authjs" in ran.stderr


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--organization", "a"], "say which by --from"),
        (["--from", "authjs", "--organization", "a", "--organization-from", "b"], "not both"),
        (["--from", "authjs", "--provider", "google"], "not of the form THEIRS=OURS"),
        (["--from", "authjs", "--app", "a="], "not of the form THEIRS=OURS"),
        (["--dry-run", "--verify"], "give one of them"),
    ],
)
def test_options_that_do_not_go_together(cli: Cli, options: list[str], part: str):
    """What cannot be meant is refused before anything is read."""
    file = cli.file("a.jsonl", [account(1)])
    cli("connections", "import", file, *options).refused(part)
