"""What people do without a key stands in the audit as well: who did what to whose."""

from __future__ import annotations

import getpass
from typing import Any

import pytest

from refresher.client import Refresher
from refresher.rules.access import Actor, somebody
from refresher.runtime.whoever import whoever
from tests.cli.kit import Cli


@pytest.fixture
def ann(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, used by Ann."""
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    return cli


def deeds(cli: Cli, *arguments: str) -> list[tuple[str, str, str | None]]:
    """Returns who did what to whose, the oldest first, as `keys audit` tells it."""
    lines = cli("keys", "audit", *arguments, "--limit", "1000", "--json").lines
    return [(line["key_id"], line["action"], line["organization_id"]) for line in lines]


def run(cli: Cli, *arguments: object, **more: Any) -> Any:
    """Runs a command that must succeed."""
    ran = cli(*arguments, **more)
    assert ran.code == 0, (arguments, ran.stderr)
    return ran


def steer_and_tell(ann: Cli) -> str:
    """Runs each command that changes something; returns the secret of a webhook."""
    ann.connect("c1", "c2")
    key = run(ann, "keys", "create", "--name", "k", "--scope", "read", "--json").json["id"]
    run(ann, "keys", "revoke", key)
    for word in ("pause", "resume", "disable", "resume"):
        run(ann, "connections", word, "c1")
    run(ann, "token", "c1")
    link = run(ann, "connections", "resume-link", "c1", "--json").json["id"]
    run(ann, "connections", "withdraw-link", "c1", link)
    run(ann, "connections", "delete", "c2", "--yes")
    run(ann, "recipients", "add", "bob@acme.example", "--organization", "org")
    run(ann, "recipients", "remove", "bob@acme.example", "--organization", "org")
    run(ann, "organizations", "set", "org", "--name", "Acme")
    added = run(
        ann, "webhooks", "add", "https://1.1.1.1/hooks", "--event", "*", "--operator", "--json"
    )
    hook = added.json["id"]
    run(ann, "webhooks", "enable", hook)
    run(ann, "webhooks", "rotate-secret", hook)
    run(ann, "webhooks", "replay", hook, "--failed")
    run(ann, "webhooks", "remove", hook, "--yes")
    run(ann, "apps", "set", "acme", "--client-id", "new", "--no-secret")
    run(ann, "encryption", "rotate")
    return str(added.json["secret"])


def test_each_command_that_changes_something_is_written_down(ann: Cli) -> None:
    """With the name of who ran it, the organization it is about, and never a secret or an address."""
    signing = steer_and_tell(ann)

    found = [deed for deed in deeds(ann) if deed[0] != "file:providers"]

    assert {who for who, _, _ in found} == {"cli:ann"}
    assert [(action, whose) for _, action, whose in found] == [
        ("imported", "org"),
        ("key_created", None),
        ("key_revoked", None),
        *((action, "org") for action in ("paused", "resumed", "disabled", "resumed")),
        ("token_read", "org"),
        ("resume_link", "org"),
        ("link_withdrawn", "org"),
        ("deleted", "org"),
        ("recipient_stored", "org"),
        ("recipient_deleted", "org"),
        ("organization_stored", "org"),
        ("webhook_created", None),
        ("webhook_enabled", None),
        ("webhook_secret_rotated", None),
        ("webhook_replayed", None),
        ("webhook_deleted", None),
        ("app_stored", None),
        ("encryption_rotated", None),
    ]
    told = run(ann, "keys", "audit", "--limit", "1000", "--json").stdout
    for secret in ("bob@acme.example", "access-of-c1", signing):
        assert secret not in told
    assert deeds(ann, "--key", "cli:ann") == found
    first = ann.show("c1")["id"]
    one = [action for _, action, _ in deeds(ann, "--connection", first)]
    assert one[:4] == ["paused", "resumed", "disabled", "resumed"]


def test_what_was_refused_is_no_deed(ann: Cli) -> None:
    """A command that changes nothing writes nothing: the deed is in its transaction."""
    ann.connect("root")
    sibling = {"access_token": None, "refresh_token": None, "expires_in": None}
    ann.connect("sibling", root_external_id="root", **sibling)
    before = deeds(ann)
    ann("connections", "delete", "root", "--yes").refused("holds the grant that others use", code=1)
    assert ann("token", "sibling", "--min-ttl", "0", "--even-expired").code == 2
    ann("keys", "revoke", "abcdefghijkl").refused("no API key")
    assert ann("recipients", "remove", "no@acme.example", "--organization", "org").code == 2
    assert deeds(ann) == before


def test_a_token_that_cannot_be_written_down_is_not_printed(
    ann: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only command that prints a secret does so behind its line in the audit."""
    ann.connect("c1")

    def broken(*_arguments: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("refresher.store.audit.about", broken)
    with pytest.raises(RuntimeError):
        ann("token", "c1")
    monkeypatch.undo()
    assert "access-of-c1" in ann("token", "c1").stdout


def test_the_sdk_on_the_database_is_written_down(ann: Cli) -> None:
    """Its deeds go through the same door, as `sdk:ann`."""
    ann.connect("root")
    given = {
        "database_url": ann.env["DATABASE_URL"],
        "encryption_keys": ann.env["REFRESHER_ENCRYPTION_KEYS"],
        "providers_file": ann.env["REFRESHER_PROVIDERS_FILE"],
    }
    with Refresher(**given) as sdk:  # type: ignore[arg-type]
        fields = {"organization_id": "org", "provider": "acme", "external_id": "s1"}
        one = sdk.register(**fields, access_token="a", refresh_token="r", expires_in=3600)  # type: ignore[arg-type]
        sdk.pause(one.id)
        sdk.resume(one.id)
        sdk.delete(one.id)
    found = [(action, whose) for _, action, whose in deeds(ann, "--key", "sdk:ann")]
    assert found == [(word, "org") for word in ("registered", "paused", "resumed", "deleted")]


@pytest.mark.parametrize(
    ("user", "sudo", "expected"),
    [
        ("ann", None, "cli:ann"),
        ("root", None, "cli:root"),
        ("root", "ann", "cli:ann"),
        ("bob", "ann", "cli:bob"),
        ("a:b c\x1b", None, "cli:abc"),
        ("", None, "cli:unknown"),
        ("x" * 500, None, f"cli:{'x' * 64}"),
    ],
)
def test_who_runs_a_command(
    monkeypatch: pytest.MonkeyPatch, user: str, sudo: str | None, expected: str
) -> None:
    """The user's name, behind sudo that of who called it; never what could pass for a key's id."""
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo:
        monkeypatch.setenv("SUDO_USER", sudo)
    actor = whoever("cli")
    assert (actor.id, actor.key_id, actor.told) == (expected, None, f"by {expected}")


def test_a_container_s_user_may_have_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is its number."""

    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1000790000")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert whoever("cli").id.startswith("cli:uid")
    assert somebody("cli", "ann") == Actor("cli:ann")
    assert Actor("abcdefghijkl").told == "by API key abcdefghijkl"


def test_registering_is_written_with_the_connection(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the deed cannot be written nothing is stored: they are one transaction."""
    monkeypatch.setattr("refresher.connections.registration.audit_entries", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.connect("c1")
    assert cli("connections", "list", "--json").lines == []
