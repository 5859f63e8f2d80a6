"""`refresher answers`: what could not be read is listed and shown without a value, and read again."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
from uuid_utils.compat import uuid7

from refresher.rules.connection import Secret, connection_id
from refresher.runtime.cipher import Cipher, parse_key
from refresher.store import answers
from refresher.store.answers import KeptAnswer
from refresher.store.pool import Pool
from tests.cli.kit import Cli

BODY = '{"accessToken": "new-access", "refreshToken": "new-refresh"}'
ENTRY = """
[providers.odd]
token_url = "https://odd.example/token"
access_token_lifetime_seconds = 3600
client_auth = "none"
"""
NAMES = 'answer_names = { access_token = "accessToken", refresh_token = "refreshToken" }\n'


@pytest.fixture
def kept(cli: Cli) -> UUID:
    """An answer with fields of other names, to a connection of a provider of our own file."""
    file = cli.folder / "providers.toml"
    file.write_text(ENTRY)
    cli.env["REFRESHER_PROVIDERS_FILE"] = str(file)
    cli.connect("c1", provider="odd")
    id_ = connection_id("org", "odd", "c1")
    cipher = Cipher([parse_key(cli.env["REFRESHER_ENCRYPTION_KEYS"])])
    database = Pool(cli.env["DATABASE_URL"])
    with database.transaction() as db:
        now = db.exec_driver_sql("select refresher_now()").scalar_one()
        made = KeptAnswer(
            uuid7(), id_, 1, 1, 1, now, 200, None, "", "", "we could not read it", True, len(BODY),
            cipher.seal(Secret(BODY), id_, answers.PLACE),
        )  # fmt: skip
        answers.put(db, [made])
    database.close()
    return made.id


def test_kept_answers_are_listed_and_shown_without_a_value(cli: Cli, kept: UUID):
    """Whose, when and why, and what the fields are called; nothing of what is in them."""
    (listed,) = cli("answers", "list", "--json").lines
    shown = cli("answers", "show", str(kept)).stdout

    assert listed["id"] == str(kept)
    assert "body" not in listed
    assert "accessToken: a text of 10 characters" in shown
    assert "new-access" not in shown + cli("answers", "list").stdout


def test_a_line_in_the_file_and_one_command_bring_the_pair(cli: Cli, kept: UUID):
    """What cannot be read yet says so with exit code 1; once the names are there it is stored."""
    before = cli("answers", "reread", str(kept), "--json")
    assert (before.code, before.json["outcome"]) == (1, "still_unread")

    (cli.folder / "providers.toml").write_text(ENTRY + NAMES)
    done = cli("answers", "reread", "--provider", "odd", "--json")

    assert (done.code, done.json["outcome"]) == (0, "stored")
    assert cli("answers", "list").stderr.strip().endswith("could be read.")
    assert cli("answers", "reread", "--provider", "odd").code == 0


def test_a_connection_that_waits_for_its_answer_says_so(cli: Cli, kept: UUID):
    """`explain`, `inspect` and `doctor` each name the answer or its provider, and what mends it."""
    park(cli, "unread_answer")
    whole = cli("explain", "c1")
    told = cli("explain", "c1", "--json").json["sentences"]

    assert "It is not scheduled: it is parked as unread_answer." in told
    assert any(
        s.startswith("The provider answered at ") and "we could not read it" in s for s in told
    )
    assert any(f"`refresher answers reread {kept}`" in s for s in told)
    assert "resuming it would be enough" not in whole.stdout
    inspected = cli("inspect", "c1")
    assert f"`refresher answers reread {kept}`" in inspected.stdout
    assert cli("inspect", "c1", "--json").json["unread_answer"] == str(kept)
    (finding,) = [f for f in cli("doctor", "--json").json["findings"] if f["check"] == "answers"]
    assert finding["message"] == "odd answered and we could not read it; connections that wait: 1"
    assert "`refresher answers reread --provider odd`" in finding["mend"]


def test_an_answer_that_is_kept_no_more_leaves_the_old_token(cli: Cli, kept: UUID):
    """After its thirty days nothing can be reread: the connection is resumed, or connected again."""
    park(cli, "unread_answer")
    run(cli, "delete from kept_answer")
    told = cli("explain", "c1").stdout
    assert "that answer is not kept any more" in told
    assert "refresher connections resume" in told
    assert str(kept) not in told


def test_a_grant_that_ended_after_such_an_answer_has_hope(cli: Cli, kept: UUID):
    """Its living tokens may be in what is kept."""
    park(cli, "reconnect_required")
    assert f"`refresher answers reread {kept}`" in cli("explain", "c1").stdout


def park(cli: Cli, reason: str) -> None:
    """Parks the one connection."""
    run(cli, f"update refresh_schedule set state = 2, due_at = null, parked_reason = '{reason}'")


def run(cli: Cli, sql: str) -> None:
    """Runs a statement on the command line's database."""
    with psycopg.connect(cli.env["DATABASE_URL"].replace("+psycopg", "")) as db:
        db.execute(sql.encode())


def test_mistakes_are_one_sentence(cli: Cli, kept: UUID):
    """No id, two ways at once, an unknown one, a provider that is none."""
    cli("answers", "reread").refused("--provider NAME")
    cli("answers", "reread", str(kept), "--provider", "odd").refused("--provider NAME")
    cli("answers", "show", str(uuid7())).refused("no answer is kept under this id")
    cli("answers", "reread", "--provider", "od").refused("odd")
