"""`refresher keys`: made, shown once, listed, revoked."""

from refresher.rules.access import hashed, presented
from refresher.runtime.parts import database_from
from refresher.settings import load
from refresher.store import audit
from tests.cli.kit import Cli


def test_a_key_is_shown_once_and_stored_as_a_hash(cli: Cli):
    """`create` prints the key alone on stdout; no later command and no column holds its secret."""
    made = cli("keys", "create", "--name", "mailer", "--scope", "token", "--organization", "org")
    text = made.stdout.strip()
    shown = presented(text)
    assert shown is not None
    assert "only time" in made.stderr
    listed = cli("keys", "list", "--json")
    (key,) = listed.lines
    assert (key["id"], key["scopes"], key["organization_id"]) == (shown.id, ["token"], "org")
    secret = shown.secret.reveal()
    assert secret not in listed.stdout + cli("keys", "list").stdout
    assert hashed(shown.secret).hex() not in listed.stdout


def test_a_revoked_key_is_told_as_such(cli: Cli):
    """`revoke` notes the moment, once; listing filters by organization."""
    key = cli("keys", "create", "--name", "a", "--scope", "read", "--json").json
    cli("keys", "create", "--name", "b", "--scope", "read", "--organization", "org")
    first = cli("keys", "revoke", key["id"], "--json").json
    assert first["revoked_at"] is not None
    assert cli("keys", "revoke", key["id"], "--json").json == first
    assert [k["name"] for k in cli("keys", "list", "--organization", "org", "--json").lines] == [
        "b"
    ]


def test_mistakes_are_one_sentence(cli: Cli):
    """An unknown id, a whole key in place of an id, and an empty name are refused."""
    cli("keys", "revoke", "abcdefghijkl").refused("no API key has the id", "keys list")
    cli("keys", "revoke", "rfr_abcdefghijkl_x").refused("whole key", "id only")
    cli("keys", "create", "--name", " ", "--scope", "read").refused("--name is empty")
    cli("keys", "create", "--name", "x", "--scope", "all").refused("'--scope'", "admin")


def test_the_audit_shows_what_keys_did(cli: Cli):
    """What was written down is listed, the newest last, and narrowed by key."""
    cli("keys", "list")
    database = database_from(load(database_url=cli.env["DATABASE_URL"]))
    with database.transaction() as db:
        deeds = [audit.AuditEntry(key, "paused", "org") for key in ("aaa", "bbb")]
        audit.append(db, deeds)
    database.close()
    lines = cli("keys", "audit", "--json").lines
    assert [line["key_id"] for line in lines] == ["aaa", "bbb"]
    assert [d["key_id"] for d in cli("keys", "audit", "--key", "bbb", "--json").lines] == ["bbb"]
