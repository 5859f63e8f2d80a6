"""Our OAuth clients in the user's file: three ways to a secret, and how each mistake is told."""

from pathlib import Path

import pytest

from refresher.catalogue import AppEntry, load
from refresher.errors import CatalogueError
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from tests.catalogue.conftest import ACME, Fault, Load
from tests.proofs.samples import certificate, ec_key, pem

KEY, CERTIFICATE = pem(ec_key()), certificate(ec_key())

WAY = (
    '[providers.way]\ntoken_url = "https://{host}/{tenant}/token"\n'
    "host_pattern = '[a-z]+\\.way\\.example'\nplaceholders = { tenant = '[a-z]+' }\n"
)


def test_apps_have_their_secret_in_one_of_three_ways(
    load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """An app's secret comes from the file, the environment or another file; or it has none."""
    # Given
    monkeypatch.setenv("GOOGLE_SECRET", "from-env")
    (tmp_path / "secret").write_text("from-file\n", encoding="utf-8")

    # When
    apps = load_text(
        ACME + '[apps.acme]\nclient_id = "a"\nclient_secret = "inline"\n'
        '[apps.google]\nclient_id = "g"\nclient_secret_env = "GOOGLE_SECRET"\n'
        '[apps."acme/second"]\nclient_id = "b"\nclient_secret_file = "secret"\n'
        '[apps.x]\nclient_id = "public"\n'
    ).apps

    # Then
    assert apps == (
        AppEntry("acme", ClientCredentials("a", Secret("inline"))),
        AppEntry("acme", ClientCredentials("b", Secret("from-file")), "second"),
        AppEntry("google", ClientCredentials("g", Secret("from-env"))),
        AppEntry("x", ClientCredentials("public", None)),
    )
    assert not [word for word in ("inline", "from-") if word in repr(apps)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[apps.acme]", "client_id is missing"),
        ('[apps.acme]\nclient_id = ""', "client_id must not be empty"),
        ('[apps.acme]\nclient_id = "a"\nclient_secret = ""', "client_secret must not be empty"),
        ('[apps.acme]\nclient_id = "a"\nsecret = "hush"', 'there is no field "secret" (did you'),
        ("[apps.acme]\nclient_id = 12345", "client_id must be a text in quotes"),
        ('[apps.acm]\nclient_id = "a"', 'no provider is called "acm" (did you mean "acme"?)'),
        ('[apps."acme/"]\nclient_id = "a"', '"" is no name for an app'),
        ('[apps."acme/A b"]\nclient_id = "a"', '"A b" is no name for an app'),
        ("[apps]\nacme = 1", "acme must be a table of its own, [apps.acme]"),
        (
            '[apps.acme]\nclient_id = "a"\n[apps."acme/default"]\nclient_id = "b"',
            'the app "default" is given twice',
        ),
        (
            '[apps.acme]\nclient_id = "a"\nclient_secret = "hush"\nclient_secret_env = "E"',
            "client_secret and client_secret_env are both set: give the secret in one way",
        ),
        (
            '[apps.acme]\nclient_id = "a"\nclient_secret_env = "ACME_SECRET_UNSET"',
            "client_secret_env names ACME_SECRET_UNSET, which is not set in the environment",
        ),
        (
            '[apps.acme]\nclient_id = "a"\nclient_secret_file = "no"',
            "which cannot be read: No such",
        ),
        ('[apps.acme]\nclient_id = "a"\nclient_secret_file = "empty"', "which is empty"),
        ('[apps.acme]\nclient_id = "a"\nclient_secret_file = "odd"', "which is not UTF-8 text"),
    ],
)
def test_a_wrong_app_is_one_sentence(fault: Fault, tmp_path: Path, text: str, sentence: str):
    """A mistake in an app names its table and never repeats what may be a secret."""
    # Given
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "odd").write_bytes(b"\xff")

    # When
    said = fault(ACME + text)

    # Then
    assert sentence in said
    assert "hush" not in said
    assert "12345" not in said
    assert "\n" not in said


def test_keys_and_a_former_secret_come_from_files_and_the_environment(
    load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Keys never stand in the file itself; files that hold them are watched like those of secrets."""
    monkeypatch.setenv("FORMER", "former")
    (tmp_path / "key.pem").write_text(KEY + "\n")
    (tmp_path / "cert.pem").write_text(CERTIFICATE)

    app = load_text(
        '[apps.google]\nclient_id = "g"\nclient_secret = "now"\nkey_id = "k1"\n'
        'previous_client_secret_env = "FORMER"\nprivate_key_file = "key.pem"\n'
        'certificate_file = "cert.pem"\ncertificate_key_file = "key.pem"\n'
    ).apps[0]

    key = Secret(KEY)
    assert app.client == ClientCredentials(
        "g", Secret("now"), Secret("former"), key, "k1", CERTIFICATE, key
    )
    assert {file.name for file in app.files} == {"key.pem", "cert.pem"}
    assert app.in_clear == ("client_secret",)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('private_key_file = "odd"', "private_key is no private key: give PEM"),
        ('private_key = "x"', 'there is no field "private_key" (did you mean "private_key_'),
        ('key_id = "k"', "key_id is set, but private_key, which it names, is missing"),
        ('certificate_file = "odd"', "certificate is set, but certificate_key is missing"),
        ('previous_client_secret = "former"', "previous_client_secret is set, but client_secret"),
        (
            'placeholders = { tenant = "a b" }',
            'placeholders.tenant "a b" does not match the pattern',
        ),
        ('placeholders = { tennant = "a" }', 'placeholders has "tennant", which provider way does'),
        ("placeholders = { tenant = 1 }", "placeholders.tenant must be a text in quotes"),
        ('placeholders = { host = "evil.example" }', 'placeholders.host "evil.example" is no host'),
    ],
)
def test_material_that_is_none_is_one_sentence(
    fault: Fault, tmp_path: Path, line: str, sentence: str
):
    """A key that is none, and a value that the entry does not know or allow, are told at the door."""
    (tmp_path / "odd").write_text("hush")
    said = fault(f'{WAY}[apps.way]\nclient_id = "a"\n{line}')
    assert "[apps.way]: " in said
    assert sentence in said
    assert "hush" not in said


def test_values_of_a_provider_without_placeholders_are_refused(fault: Fault):
    """It is told that there are none."""
    text = ACME + '[apps.acme]\nclient_id = "a"\nplaceholders = { tenant = "a" }'
    assert "which provider acme does not have: it has none" in fault(text)


def test_a_missing_secret_stops_nothing_else(tmp_path: Path):
    """An app or a notice whose secret is not there is named and left out; the rest loads."""
    # Given
    path = tmp_path / "providers.toml"
    (tmp_path / "there").write_text("good")
    path.write_text(
        ACME + '[apps.acme]\nclient_id = "a"\nclient_secret_file = "there"\n'
        '[apps.google]\nclient_id = "g"\nclient_secret_env = "UNSET_SECRET"\n'
        '[apps."google/eu"]\nclient_id = "e"\nclient_secret_file = "away"\n'
        '[signals.google]\nkind = "hmac"\nsecret_env = "UNSET_SECRET"\n'
        'signature_header = "X-Signature"\nsubject_path = ["id"]\nrevoked_events = ["gone"]\n'
    )

    # When
    loaded = load(path, tolerant=True)

    # Then
    assert [app.key for app in loaded.apps] == ["acme/default"]
    assert loaded.signals == {}
    assert [one.table for one in loaded.unusable] == [
        "apps.google",
        'apps."google/eu"',
        "signals.google",
    ]
    assert "UNSET_SECRET, which is not set" in loaded.unusable[0].why
    assert loaded.unusable[1].secret_file == tmp_path / "away"
    assert loaded["acme"].token_url == "https://acme.example/token"


def test_a_wrong_table_is_a_fault_beside_a_missing_secret(tmp_path: Path):
    """What waiting does not mend is told, whether or not missing secrets are passed over."""
    path = tmp_path / "providers.toml"
    path.write_text(ACME + '[apps.acme]\nclient_secret_env = "UNSET_SECRET"\n')
    with pytest.raises(CatalogueError, match="client_id is missing"):
        load(path)
    loaded = load(path, tolerant=True)
    assert [one.table for one in loaded.broken] == ["apps.acme"]
    assert (loaded.apps, loaded.unusable) == ((), ())
