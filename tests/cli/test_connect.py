"""`refresher connect`: from nothing to a connection, in a process of its own, a browser beside it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from refresher.devkit.browser import Browser
from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli
from tests.ports import LOOPBACK, free_port
from tests.waiting import wait_until

ENTRY = """
[providers.acme]
token_url = "{url}/token"
authorize_url = "{url}/authorize"
identity_url = "{url}/userinfo"
connect.identity = {{ found_in = "userinfo", paths = ["sub"], label_path = "email" }}

[providers.lost]
token_url = "{url}/token"
"""
PUBLIC_URL = "https://refresher.example"
APP = """
[apps.acme]
client_id = "fake-client"
client_secret = "fake-secret"
"""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider where everybody consents at once."""
    with FakeProvider() as running:
        yield running


@pytest.fixture
def here(cli: Cli, provider: FakeProvider) -> Cli:
    """A command line whose entry leads to the provider, with an app, and without any web process."""
    file = cli.folder / "providers.toml"
    file.write_text(ENTRY.format(url=provider.url) + APP)
    cli.env["REFRESHER_PROVIDERS_FILE"] = str(file)
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    cli.env["PORT"] = str(free_port())
    return cli


@contextmanager
def connecting(cli: Cli, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Starts the command, and yields it with the URL that it prints."""
    with cli.running("connect", *words, "--no-browser") as process:
        assert process.stderr is not None
        said: list[bytes] = []
        while not (found := re.search(rb"http\S+/connect/\S+", b"".join(said[-1:]))):
            said.append(process.stderr.readline())
            assert said[-1], b"".join(said)
        yield process, found[0].decode()


def test_one_command_connects_an_account(here: Cli) -> None:
    """The pages are served by the command itself; the id is all of stdout, and its token is served."""
    with connecting(here, "acme") as (process, url), Browser() as ann:
        assert url.startswith(f"http://{LOOPBACK}:{here.env['PORT']}/connect/")
        assert ann.open(url).status == 200
        ann.submit()
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    id_ = stdout.decode().strip()
    assert f"refresher token {id_}" in stderr.decode()
    assert "ann@fake.example" in stderr.decode()
    assert here("token", id_).code == 0
    assert here.show(id_)["external_id"] == "ann"
    listed = here("connect", "sessions", "list", "--json").lines
    assert [(one["outcome"], one["connection_id"]) for one in listed] == [("connected", id_)]
    assert url.rsplit("/", 1)[1] not in json.dumps(listed)


def test_what_fails_is_told_and_may_be_tried_again(here: Cli, provider: FakeProvider) -> None:
    """A refusal is told while the command waits on; an interrupt leaves no link behind."""
    provider.admin.add_fault("error", on="authorize", error="access_denied", count=1)
    with connecting(here, "acme", "--json") as (process, url), Browser() as ann:
        ann.open(url)
        page = ann.submit()
        assert "did not allow" in page.words
        stderr = process.stderr
        assert stderr is not None
        wait_until(lambda: b"access_denied" in stderr.readline(), 30)
        ann.submit("Try again")
        stdout, _ = process.communicate(timeout=60)
    told: dict[str, Any] = json.loads(stdout)
    assert (process.returncode, told["outcome"], told["attempts"]) == (0, "connected", 2)


def test_an_interrupt_withdraws_the_link(here: Cli) -> None:
    """Nobody waits any more for what could come of it."""
    with connecting(here, "acme") as (process, _):
        process.send_signal(2)
        process.communicate(timeout=60)
    assert process.returncode == 130
    (one,) = here("connect", "sessions", "list", "--json").lines
    assert one["outcome"] == "cancelled"


def test_without_an_app_the_redirect_uri_is_told(here: Cli, provider: FakeProvider) -> None:
    """What to register is printed before anything is asked, and without a terminal how to go on."""
    (here.folder / "providers.toml").write_text(ENTRY.format(url=provider.url))
    ran = here("connect", "acme")
    ran.refused("apps set acme --client-id", "no terminal")
    uri = f"http://{LOOPBACK}:{here.env['PORT']}/connect/callback/acme"
    assert uri in ran.stderr


def test_with_a_terminal_the_app_is_asked_for_and_the_page_opened(
    here: Cli, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is stored, our own page opened, and nobody's consent within the time ends with 5."""
    # Given
    (here.folder / "providers.toml").write_text(ENTRY.format(url=provider.url))
    opened: list[str] = []
    monkeypatch.setattr("refresher.cli.session.is_terminal", lambda *_: True)
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("refresher.cli.connect.WAIT_SECONDS", 0.0)
    # When
    ran = here("connect", "acme", stdin="our-client\nour-secret\n")
    # Then
    ran.refused("was not connected within ten minutes", code=5)
    assert "our-secret" not in ran.stdout + ran.stderr
    (app,) = here("apps", "list", "--json").lines
    assert (app["provider"], app["client_id"], app["has_secret"]) == ("acme", "our-client", True)
    assert [url.rsplit("/", 1)[0] for url in opened] == [
        f"http://{LOOPBACK}:{here.env['PORT']}/connect"
    ]
    assert [one["outcome"] for one in listed(here)] == ["cancelled"]


def test_accounts_of_imported_connections_are_learned(here: Cli, provider: FakeProvider) -> None:
    """Asked once, from the provider, with the tokens that were handed in."""
    grant = provider.admin.create_grants(1)[0]
    here.connect(grant.external_id, access_token=grant.access_token)
    here.connect("unknown")
    ran = here("connections", "learn-accounts", "--json")
    assert ran.json == {"learned": 1, "untold": 1}
    assert here.show(grant.external_id)["account_label"]
    here("connections", "learn-accounts", "--provider", "acne").refused('did you mean "acme"')


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (["connect", "gogle"], 2, 'did you mean "google"'),
        (["connect", "lost"], 2, "[connect]"),
        (["connect"], 2, "provider"),
        (["connect", "ftp://acme.example"], 2, "no MCP server"),
        (["connect", "sessions", "cancel", "0199a2b4-0000-7000-8000-000000000009"], 2, "session"),
        (["connections", "reconnect-link", "nobody"], 2, "nobody"),
        (["connections", "reconnect-link", "c1", "--expires-in", "7"], 2, "--expires-in"),
        (["connections", "reconnect-link", "c1", "--expires-in", "90d"], 2, "30 days"),
    ],
)
def test_wrong_use_is_one_sentence(here: Cli, words: list[str], code: int, part: str) -> None:
    """Nothing is begun then."""
    here.connect("c1")
    here.env["REFRESHER_PUBLIC_URL"] = PUBLIC_URL
    here(*words).refused(part, code=code)


def test_a_foreign_server_at_our_address_is_told(here: Cli, provider: FakeProvider) -> None:
    """What answers there and knows nothing of the session is another program, or another database."""
    here.env["REFRESHER_PUBLIC_URL"] = provider.url
    here("connect", "acme", "--no-browser").refused("REFRESHER_PUBLIC_URL", code=1)
    here.env["REFRESHER_PUBLIC_URL"] = "https://refresher.invalid"
    here("connect", "acme", "--no-browser").refused("nobody answers", code=1)
    wait_until(lambda: {one["outcome"] for one in listed(here)} == {"cancelled"}, 10)


def listed(cli: Cli) -> list[Any]:
    """Returns the sessions."""
    return cli("connect", "sessions", "list", "--json").lines


def test_a_reconnect_link_is_for_somebody_else(here: Cli) -> None:
    """It is printed alone, lasts a week, and can be withdrawn."""
    here.connect("c1")
    here("connections", "reconnect-link", "c1").refused("REFRESHER_PUBLIC_URL is not set")
    here.env["REFRESHER_PUBLIC_URL"] = PUBLIC_URL
    ran = here("connections", "reconnect-link", "c1", "--scope", "read")
    assert re.fullmatch(rf"{PUBLIC_URL}/connect/\S{{43}}\n", ran.stdout), ran.stderr
    (one,) = listed(here)
    assert (one["kind"], one["flow"], one["scopes"]) == ("reconnect", "link", ["read"])
    assert here("connect", "sessions", "cancel", one["id"]).code == 0
    assert listed(here)[0]["outcome"] == "cancelled"
