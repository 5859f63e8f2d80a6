"""Apps with keys and certificates at the command line: what `doctor` says of them ahead of time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.kit import Cli
from tests.proofs.samples import certificate, ec_key, pem


def stored(cli: Cli, folder: Path, *options: object) -> None:
    """Stores the app of acme, public, with these options."""
    (folder / "key").write_text(pem(ec_key()))
    done = cli("apps", "set", "acme", "--client-id", "an-id", "--no-secret", *options)
    assert done.code == 0, done.stderr


def told(cli: Cli) -> list[tuple[str, str]]:
    """Returns what doctor says of apps: level and sentence."""
    findings = cli("doctor", "--json").json["findings"]
    assert all(f["mend"] for f in findings if f["check"] == "apps")
    return [(f["level"], f["message"]) for f in findings if f["check"] == "apps"]


@pytest.mark.parametrize(
    ("days", "level", "sentence"),
    [
        (-2, "fail", "the certificate of the app acme/default ended on 20"),
        (20.5, "warn", "the certificate of the app acme/default ends in 20 days, on 20"),
        (31, None, None),
    ],
)
def test_a_certificate_that_ends_is_told_ahead(cli: Cli, tmp_path: Path, days, level, sentence):
    """Thirty days before; nothing of it while it is good for longer."""
    (tmp_path / "certificate").write_text(certificate(ec_key(), days=days))
    given = ["--certificate-file", tmp_path / "certificate"]
    stored(cli, tmp_path, *given, "--certificate-key-file", tmp_path / "key")
    said = told(cli)
    assert [one for one, _ in said] == ([level] if level else [])
    assert all(sentence in text for _, text in said)


def test_an_app_that_lacks_what_its_entry_asks_for_by_now_is_told(cli: Cli, tmp_path: Path):
    """The entry was changed after the app was stored; with its key all is well."""
    stored(cli, tmp_path)
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text(
        '[providers.acme]\ntoken_url = "http://127.0.0.1:9/token"\nclient_auth = "private_key_jwt"\n'
    )
    ((level, sentence),) = told(cli)
    assert level == "fail"
    assert "the app acme/default cannot prove itself: private_key is missing" in sentence
    stored(cli, tmp_path, "--private-key-file", tmp_path / "key")
    assert told(cli) == []
