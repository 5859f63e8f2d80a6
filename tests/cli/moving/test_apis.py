"""Other systems' APIs: read page by page, waited for, and told when they cannot be read on."""

from collections.abc import Iterator

import pytest

from tests.cli.kit import Cli
from tests.cli.moving.servers import (
    KEY,
    Theirs,
    composio_account,
    nango_connection,
    serving,
)


@pytest.fixture
def theirs(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Theirs]:
    """A server of both APIs, and the keys for it; pages are of two."""
    monkeypatch.setattr("refresher.outbound.foreign.PAGE", 2)
    cli.env |= {
        "NANGO_SECRET_KEY": KEY,
        "COMPOSIO_API_KEY": KEY,
        "REFRESHER_ALLOW_INSECURE_HOSTS": "loopback",
    }
    with serving(Theirs()) as running:
        yield running


def test_nango_is_read_whole(cli: Cli, theirs: Theirs):
    """Each connection comes with its refresh token; a 429 is waited out, what is gone is rejected."""
    theirs.nango = [nango_connection(f"c/{n}") for n in range(5)]
    theirs.instead = {
        "/connections": [(429, {"retry-after": "0"}, b"")],
        "/connection/c%2F3": [(502, {"retry-after": "0"}, b"<html>")],
        "/connection/c%2F4": [(400, {}, b'{"error": {"code": "invalid_credentials"}}')],
    }
    ran = cli("connections", "import", "--from", "nango", theirs.url, "--json")
    assert (ran.code, ran.json["created"], ran.json["rejected"]) == (1, 4, 1), ran.stderr
    assert "connection 5: Nango does not give it: status 400, invalid_credentials" in ran.stderr
    assert cli.show("c/3")["organization_id"] == "org"
    assert len([path for path in theirs.asked if path.startswith("/connections")]) == 4


def test_composio_is_read_whole(cli: Cli, theirs: Theirs):
    """All pages are read; masked tokens are refused with what unmasks them."""
    theirs.composio = [composio_account(f"ca_{n}") for n in range(4)]
    theirs.composio += [composio_account("ca_9", access_token="gho_...", refresh_token="ghr_...")]
    ran = cli("connections", "import", "--from", "composio", theirs.url, "--json")
    assert (ran.code, ran.json["created"], ran.json["rejected"]) == (1, 4, 1), ran.stderr
    assert "connection 5: its tokens are masked" in ran.stderr
    assert "account_type=ALL" in theirs.asked[0]


def test_an_api_that_ends_in_the_middle(cli: Cli, theirs: Theirs, monkeypatch: pytest.MonkeyPatch):
    """What was read is stored whole, the rest is not, and where to go on is told."""
    monkeypatch.setattr("refresher.outbound.foreign.TRIES", 1)
    monkeypatch.setattr("refresher.cli.import_run.CHUNK", 2)
    theirs.composio = [composio_account(f"ca_{n}") for n in range(4)]
    page = "/api/v3.1/connected_accounts"
    first = theirs.answer(page, {"limit": "2"}, KEY)
    theirs.instead = {page: [first, (503, {}, b"")]}
    ran = cli("connections", "import", "--from", "composio", theirs.url)
    ran.refused("does not answer: status 503", code=1)
    assert "Connections up to 2 are dealt with; go on with --from-line 3." in ran.stderr
    assert len(cli("connections", "list", "--json").lines) == 2


@pytest.mark.parametrize(
    ("system", "path", "answer", "part"),
    [
        ("nango", "/connections", (401, {}, b"{}"), "refuses the key (status 401)"),
        ("nango", "/connection/c", (403, {}, b"{}"), "refuses the key (status 403)"),
        ("nango", "/connections", (200, {}, b"<html>"), "no JSON object: is this the API's URL?"),
        ("nango", "/connections", (200, {}, b'{"a": 1}'), "no list of connections"),
        ("composio", "/api/v3.1/connected_accounts", (404, {}, b"{}"), "status 404"),
    ],
)
def test_what_is_no_answer_of_theirs(cli: Cli, theirs: Theirs, system, path, answer, part):
    """A key that is refused, a page of HTML and a wrong address end it in one sentence."""
    theirs.nango = [nango_connection("c")]
    theirs.instead = {path: [answer]}
    ran = cli("connections", "import", "--from", system, theirs.url)
    ran.refused(part, code=1)
    assert KEY not in ran.stderr


def test_keys_are_no_arguments(cli: Cli, theirs: Theirs):
    """A key that is missing, an address in the clear or a private one are refused before asking."""
    for system, unset in (("nango", "NANGO_SECRET_KEY"), ("composio", "COMPOSIO_API_KEY")):
        cli.env[unset] = ""
        cli("connections", "import", "--from", system, theirs.url).refused(unset)
        cli.env[unset] = KEY
    cli("connections", "import", "--from", "authjs", theirs.url).refused("has no API for this")
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "none"
    cli("connections", "import", "--from", "nango", theirs.url).refused(
        "REFRESHER_ALLOW_INSECURE_HOSTS forbids"
    )
    ran = cli("connections", "import", "--from", "nango", "https://127.0.0.1:9")
    ran.refused("the API's URL")
    assert theirs.asked == []
