"""Looking at connections, steering them, their token and their history."""

import json

import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli, row

SIBLING = {"access_token": None, "refresh_token": None, "expires_in": None}


def test_looking_needs_neither_key_nor_redis(cli: Cli):
    """Lists, one connection and its events are shown without keys, providers file or Redis."""
    cli.connect("c1")
    for name in ("REFRESHER_ENCRYPTION_KEYS", "REFRESHER_PROVIDERS_FILE"):
        del cli.env[name]
    del cli.env["REFRESHER_INTEGRATION_REFRESH__TRANSPORT"]
    for command in (["connections", "list"], ["connections", "show", "c1"], ["events", "c1"]):
        ran = cli(*command)
        assert ran.code == 0, ran.stderr


def test_a_list_is_filtered(cli: Cli):
    """Filters leave what they name; a page ends with the id to go on behind."""
    cli.connect("a1", "a2", "a3", organization_id="org-a")
    cli.connect("b1", organization_id="org-b", refresh_token=None)

    def listed(*arguments: object) -> list[str]:
        ran = cli("connections", "list", *arguments, "--json")
        return [line["external_id"] for line in ran.lines]

    assert sorted(listed()) == ["a1", "a2", "a3", "b1"]
    assert sorted(listed("--organization", "org-a")) == ["a1", "a2", "a3"]
    assert listed("--state", "parked") == ["b1"]
    assert listed("--reason", "nothing_to_refresh_with") == ["b1"]
    assert listed("--provider", "google") == []
    # One page after the other gives all, each once
    first = cli("connections", "list", "--limit", 3, "--json").lines
    rest = listed("--after", first[-1]["id"])
    assert len({line["external_id"] for line in first} | set(rest)) == 4
    # The table says the same to people
    table = cli("connections", "list", "--organization", "org-b")
    assert "parked: nothing_to_refresh_with" in table.stdout
    assert table.stderr == ""
    assert f"--after {first[-1]['id']}" in cli("connections", "list", "--limit", 3).stderr


def test_a_connection_goes_by_several_names(cli: Cli):
    """A whole id, its beginning (with or without dashes) and the external id mean the same."""
    cli.connect("c1")
    id_ = cli.show("c1")["id"]
    for name in (id_, id_.upper(), id_[:8], id_[:13], id_.replace("-", ""), " c1 "):
        assert cli.show(name)["id"] == id_, name


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("acount-1", 'did you mean "account-1"?'),
        ("nothing-like-it", "`refresher connections list` shows all"),
        ("abc", "8 characters or more"),
        ("00000000", "`refresher connections list` shows all"),
        ("00000000-0000-0000-0000-000000000000", "`refresher connections list` shows all"),
        ("", "empty id"),
        ("a\x1b[2J", "control characters"),
        ("'; drop table connection; --", "`refresher connections list` shows all"),
    ],
)
def test_an_unknown_connection_is_one_sentence(cli: Cli, given: str, part: str):
    """Whatever is given for an id, what is not found ends in a sentence, with a suggestion."""
    cli.connect("account-1")
    for command in (["connections", "show"], ["token"], ["events"], ["connections", "pause"]):
        cli(*command, given).refused(part)


def test_an_external_id_of_two_providers_is_ambiguous(cli: Cli):
    """Where a name means two connections, both are named and nothing is done."""
    cli.connect("c1", organization_id="org-a")
    cli.connect("c1", organization_id="org-b")
    cli("connections", "disable", "c1").refused("organization org-a", "organization org-b")
    states = {line["state"] for line in cli("connections", "list", "--json").lines}
    assert states == {"idle"}


def test_a_connection_is_paused_and_resumed(cli: Cli):
    """A paused or disabled connection is parked with that reason; resume makes it due at once."""
    cli.connect("c1")
    for command, reason in (("pause", "paused"), ("disable", "disabled")):
        stopped = cli("connections", command, "c1", "--json").json
        assert (stopped["state"], stopped["parked_reason"]) == ("parked", reason)
        assert "ends that" in cli("connections", "show", "c1").stderr
        resumed = cli("connections", "resume", "c1")
        assert "is resumed" in resumed.stdout
        assert cli.show("c1")["state"] == "idle"
    kinds = [event["kind"] for event in cli("events", "c1", "--json").lines]
    assert kinds == ["imported", "paused", "resumed", "disabled", "resumed"]


def test_resuming_without_mending_is_told(cli: Cli):
    """Resume says when a reason is likely to park the connection again."""
    cli.connect("c1", refresh_token=None)
    ran = cli("connections", "resume", "c1")
    assert (ran.code, "may be again: no token to refresh with" in ran.stderr) == (0, True)


def test_a_deleted_connection_is_refused_and_comes_back(cli: Cli):
    """Delete asks, is soft, and is ended by importing the connection again."""
    cli.connect("c1")
    cli("connections", "delete", "c1", stdin="y\n").refused("give --yes")
    assert cli("connections", "delete", "c1", "--yes").code == 0
    assert cli("connections", "list", "--json").stdout == ""
    for command in ("pause", "resume", "disable"):
        cli("connections", command, "c1").refused("is deleted: importing it again", code=1)
    cli("token", "c1").refused("is deleted", code=1)
    cli.connect("c1")
    assert cli.show("c1")["state"] == "idle"


def test_deleting_asks_on_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """On a terminal, delete goes on after a yes and stops after anything else."""
    cli.connect("c1")
    monkeypatch.setattr("refresher.cli.session.is_terminal", lambda: True)
    refused = cli("connections", "delete", "c1", stdin="n\n")
    assert (refused.code, "nothing was changed" in refused.stderr) == (1, True)
    assert cli.show("c1")["deleted_at"] is None
    assert cli("connections", "delete", "c1", stdin="y\n").code == 0


def test_a_root_outlives_those_that_share_its_grant(cli: Cli):
    """A root with living siblings is not deleted; the sentence names them."""
    cli.connect("root")
    cli.connect("page", root_external_id="root", **SIBLING)
    page = cli.show("page")
    cli("connections", "delete", "root", "--yes").refused(page["id"], code=1)
    assert page["root_id"] in cli("connections", "show", "page").stderr
    assert "goes on being refreshed" in cli("connections", "pause", "page").stderr
    assert "left as it is" in cli("connections", "resume", "page").stderr
    assert cli("connections", "delete", "page", "--yes").code == 0
    assert cli("connections", "delete", "root", "--yes").code == 0


def test_the_token_is_alone_on_stdout(cli: Cli):
    """`token` prints the access token and nothing else; a sibling's is its root's."""
    cli.connect("c1")
    cli.connect("page", root_external_id="c1", **SIBLING)
    for name in ("c1", "page"):
        ran = cli("token", name)
        assert (ran.code, ran.stdout, ran.stderr) == (0, "access-of-c1\n", "")
    told = cli("token", "c1", "--json").json
    assert told["access_token"] == "access-of-c1"
    assert told["expires_at"].startswith("20")


def test_a_terminal_is_warned_of_the_token(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """When stdout is a terminal, stderr says that this is a secret."""
    cli.connect("c1")
    monkeypatch.setattr("refresher.cli.session.is_terminal", lambda _: True)
    ran = cli("token", "c1")
    assert (ran.stdout, "This is a secret" in ran.stderr) == ("access-of-c1\n", True)


def test_an_expired_token_is_not_printed(cli: Cli):
    """A dead token ends in exit code 1 with the reason, unless it is asked for."""
    cli.connect("c1", expires_in=0)
    ran = cli("token", "c1")
    ran.refused("expired", "refresher connections refresh", code=1)
    assert ran.stdout == ""
    assert cli("token", "c1", "--even-expired").stdout == "access-of-c1\n"


def test_a_connection_may_have_no_access_token_yet(cli: Cli):
    """A connection imported with a refresh token alone has nothing to print, which is told."""
    cli.connect("c1", access_token=None)
    cli("token", "c1").refused("has no access token yet", code=1)


def test_a_wrong_key_is_one_sentence(cli: Cli):
    """A token that no key opens ends in a sentence with the key's id, not in a traceback."""
    cli.connect("c1")
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = cli("encryption", "new-key").stdout.strip()
    cli("token", "c1").refused("was sealed with key", "add the old key", code=1)
    del cli.env["REFRESHER_ENCRYPTION_KEYS"]
    cli("token", "c1").refused("refresher encryption new-key")


def test_events_come_in_their_order(cli: Cli):
    """The newest event is the last line; --limit keeps the newest ones."""
    cli.connect("c1")
    cli("connections", "pause", "c1")
    cli("connections", "resume", "c1")
    assert [e["kind"] for e in cli("events", "c1", "--limit", 2, "--json").lines] == [
        "paused", "resumed",
    ]  # fmt: skip
    table = cli("events", "c1").stdout
    assert table.index("imported") < table.index("paused") < table.index("resumed")


def test_a_sibling_s_history_is_its_root_s(cli: Cli):
    """Events of a connection that shares a grant are those of the root, with a note."""
    cli.connect("root")
    cli.connect("page", root_external_id="root", **SIBLING)
    ran = cli("events", "page", "--json")
    assert {event["connection_id"] for event in ran.lines} == {cli.show("root")["id"]}
    assert "shares the grant" in ran.stderr


def test_no_listing_holds_a_token(cli: Cli):
    """Nothing but `token` prints a secret, in either form of output."""
    cli.connect("c1")
    given = row("c1")
    for command in (["connections", "list"], ["connections", "show", "c1"], ["events", "c1"]):
        for ran in (cli(*command), cli(*command, "--json")):
            assert str(given["access_token"]) not in ran.stdout + ran.stderr
            assert str(given["refresh_token"]) not in ran.stdout + ran.stderr
    assert "access_token" not in json.dumps(cli.show("c1"))


def test_deleting_gives_the_grant_back_when_asked(cli: Cli, provider: FakeProvider):
    """With --revoke the provider is asked, and what it said is told; the row is deleted whatever."""
    cli.connect("c1", "c2")
    told = cli("connections", "delete", "c1", "--revoke", "--yes")
    assert told.code == 0
    assert "is deleted" in told.stdout
    assert "The provider has no way to end a grant" in told.stdout
    ran = cli("connections", "delete", "c2", "--revoke", "--yes", "--json")
    assert ran.json["revocation"]["outcome"] == "unsupported"
    assert ran.json["deleted_at"]
    for name in ("c1", "c2"):
        assert cli.show(name)["deleted_at"]
    assert "revocation" in cli("events", "c1").stdout
