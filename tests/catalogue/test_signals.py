"""`[signals.…]` of the providers file: how notices are verified, each fault in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.errors import CatalogueError
from refresher.rules.signals import SourceKind

HMAC = """
[signals.google]
kind = "hmac"
secret_env = "HOOK_SECRET"
signature_header = "X-Signature"
subject_path = ["account"]
revoked_events = ["revoked"]
"""
TOKEN = """
[signals.google]
kind = "security_event_token"
issuer = "https://accounts.google.com/"
audience = ["123.apps.googleusercontent.com"]
jwks_url = "https://www.googleapis.com/oauth2/v3/certs"
match_metadata = "google_sub"
"""


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "s3cr3t")


def written(folder: Path, text: str) -> Path:
    """Writes a providers file."""
    path = folder / "providers.toml"
    path.write_text(text)
    return path


def test_both_kinds_are_read(tmp_path: Path):
    """A source knows its provider, and its secret stays hidden."""
    token = load(written(tmp_path, TOKEN)).signals["google"]
    plain = load(written(tmp_path, HMAC)).signals["google"]

    assert (token.kind, token.match_metadata) == (SourceKind.SECURITY_EVENT_TOKEN, "google_sub")
    assert plain.secret is not None
    assert plain.secret.reveal() == "s3cr3t"
    assert "s3cr3t" not in repr(plain)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            TOKEN.replace("google]", "gogle]"),
            'no provider is called "gogle" .did you mean "google"',
        ),
        (TOKEN.replace("issuer", "isuer"), "isuer"),
        (TOKEN.replace("security_event_token", "jwt"), "kind"),
        (
            TOKEN.replace("https://www.googleapis", "http://www.googleapis"),
            "jwks_url must begin with",
        ),
        (TOKEN.replace('audience = ["123.apps.googleusercontent.com"]', ""), "audience is missing"),
        (
            HMAC.replace('secret_env = "HOOK_SECRET"', ""),
            "secret is missing: give secret, secret_env",
        ),
        (HMAC.replace("HOOK_SECRET", "NO_SUCH"), "secret_env names NO_SUCH, which is not set"),
        (HMAC + 'secret = "x"', "secret and secret_env are both set"),
        (HMAC.replace("X-Signature", "X Signature"), "signature_header"),
        (HMAC.replace('["account"]', "[]"), "subject_path must not be empty"),
        ("signals = 3", "signals must be tables"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path: Path, text: str, sentence: str):
    """The sentence names the field and shows no secret."""
    with pytest.raises(CatalogueError, match=sentence) as raised:
        load(written(tmp_path, text))

    assert "s3cr3t" not in str(raised.value)
