"""`providers add` and `confirm`: entries that an issuer's own metadata makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.store.session import run
from tests.cli.kit import Cli
from tests.issuers import OAUTH, Issuer, issuing


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An authorization server on loopback."""
    with issuing() as running:
        running.tell(
            authorization_endpoint=f"{running.url}/authorize",
            code_challenge_methods_supported=["S256"],
            scopes_supported=["read", "offline"],
        )
        yield running


def test_an_entry_is_written_with_what_the_issuer_says(cli: Cli, issuer: Issuer):
    """It is shown, appended to the file, and loads: facts with their date and source."""
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    before = file.read_text()
    shown = cli("providers", "add", issuer.url, "--name", "dot", "--dry-run")
    assert (shown.code, file.read_text()) == (0, before)
    ran = cli("providers", "add", issuer.url, "--name", "dot")
    assert ran.code == 0, ran.stderr
    assert ran.stdout == shown.stdout
    assert file.read_text().startswith(before.rstrip())
    entry = load(file, allow_loopback=True)["dot"]
    assert (entry.issuer, entry.client_auth, entry.pkce) == (issuer.url, "basic", "supported")
    assert entry.authorize_url == f"{issuer.url}/authorize"
    assert entry.sources == (issuer.url + OAUTH,)
    assert entry.checked_on is not None
    assert entry.notes == "scopes it knows: read offline"
    assert [path.name for path in file.parent.glob("*.toml")] == ["providers.toml"]
    cli("providers", "add", issuer.url, "--name", "dot").refused('a provider called "dot"')


@pytest.mark.parametrize(
    ("method", "client_auth"),
    [
        ("client_secret_post", "post"),
        ("client_secret_basic", "basic"),
        ("private_key_jwt", "private_key_jwt"),
        ("client_secret_jwt", "client_secret_jwt"),
        ("tls_client_auth", "tls_client_auth"),
        ("self_signed_tls_client_auth", "self_signed_tls_client_auth"),
        ("none", "none"),
        ("attest_jwt_client_auth", "post"),
    ],
)
def test_a_client_proves_itself_as_the_issuer_takes_it(
    cli: Cli, issuer: Issuer, tmp_path: Path, method: str, client_auth: str
):
    """The methods that we know, each by its own name; of others nothing is written."""
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    issuer.tell(token_endpoint_auth_methods_supported=[method])
    file = tmp_path / "new.toml"
    ran = cli("providers", "add", issuer.url, "--name", "dot", "--file", file)
    assert ran.code == 0, ran.stderr
    assert load(file, allow_loopback=True)["dot"].client_auth == client_auth
    assert (f'client_auth = "{client_auth}"' in ran.stdout) is (method[:6] != "attest")


def test_json_has_the_entry_and_the_metadata(cli: Cli, issuer: Issuer, tmp_path: Path):
    """A file that does not exist yet is made."""
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    file = tmp_path / "new.toml"
    ran = cli("providers", "add", issuer.url, "--name", "dot", "--file", file, "--json")
    assert ran.code == 0, ran.stderr
    assert ran.json["metadata"]["token_url"] == f"{issuer.url}/token"
    assert file.read_text() == ran.json["entry"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{url}/other"], "answers with 404"),
        (["http://acme.example"], "URL must begin with https://"),
        (["{url}", "--name", "google"], 'there is a provider called "google"'),
        (["{url}", "--name", "A b"], '"A b" is no name for a provider'),
        (["{url}", "--name", "dot", "--file", "no/where.toml"], "cannot be written: No such"),
    ],
)
def test_each_mistake_is_one_sentence(
    cli: Cli, issuer: Issuer, arguments: list[str], sentence: str
):
    """And the file stays as it was."""
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    before = Path(cli.env["REFRESHER_PROVIDERS_FILE"]).read_text()
    cli("providers", "add", *(a.format(url=issuer.url) for a in arguments)).refused(sentence)
    assert Path(cli.env["REFRESHER_PROVIDERS_FILE"]).read_text() == before


def test_without_a_file_nothing_is_written(cli: Cli, issuer: Issuer):
    """The sentence says how to name one."""
    cli.env["REFRESHER_ALLOW_INSECURE_HOSTS"] = "loopback"
    del cli.env["REFRESHER_PROVIDERS_FILE"]
    cli("providers", "add", issuer.url, "--name", "dot").refused("or give --file")


def test_a_move_is_confirmed_by_name(cli: Cli, services):
    """Only what an issuer proposed is."""
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text('[providers.dot]\nissuer = "https://dot.example"\n')
    cli("providers", "confirm", "dot").refused("the endpoints of dot have not moved")
    document = json.dumps({"token_url": "https://new.example/token"})
    sql = (
        "insert into issuer (issuer, asked_at, proposed) "
        "values (:issuer, now(), cast(:document as jsonb))"
    )
    with services.database.transaction() as db:
        run(db, sql, issuer="https://dot.example", document=document)
    ran = cli("providers", "confirm", "dot")
    assert (ran.code, "https://new.example/token from now on" in ran.stdout) == (0, True)
