"""How the catalogue is loaded: an entry when it is asked for, and each without the wrong ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refresher.catalogue import load, watching
from refresher.catalogue.built_in import BUILT_IN, BuiltIn
from refresher.errors import BrokenProvider, CatalogueError, UnknownProvider
from tests.catalogue.conftest import ACME, Fault, Load
from tests.catalogue.samples import CATALOGUE

BETA = '[providers.beta]\ntoken_url = "https://beta.example/token"\n'
GOOD = BETA + '[apps.beta]\nclient_id = "b"\n'
BOTH = "token_url and token_endpoint are two names of one field: give one of them"
TWICE = "Cannot declare ('providers', 'acme') twice"
MANY = """
import resource, tomllib
from pathlib import Path
import refresher.settings, refresher.runtime.services
from refresher.catalogue import load
from refresher.catalogue.built_in import BuiltIn
def memory(): return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
parsed, loads = [], tomllib.loads
tomllib.loads = lambda text: parsed.append(text) or loads(text)
before = memory()
known = load(built_in=BuiltIn(Path({folder!r})))
assert len(known) == 330, known.names
assert known["p7"].rotation == "always"
print(len(parsed), (memory() - before) / 1e6)
"""


def test_every_built_in_entry_is_right():
    """None is left out because it is wrong."""
    assert len(CATALOGUE.providers) == len(BUILT_IN.names)
    assert CATALOGUE.broken == ()


def test_a_start_reads_only_the_entries_that_are_asked_for(tmp_path: Path):
    """Of 330 entries one is parsed, and they take 15 MB at most; `bench.catalogue` has the time."""
    text = (Path(watching.__file__).parent / "providers" / "airtable.toml").read_text()
    for n in range(330):
        (tmp_path / f"p{n}.toml").write_text(text)
    ran = subprocess.run(
        [sys.executable, "-c", MANY.format(folder=str(tmp_path))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    parsed, megabytes = ran.stdout.split()
    assert int(parsed) == 1
    assert float(megabytes) <= 15


def test_a_wrong_built_in_entry_is_as_good_as_none(tmp_path: Path):
    """It is found out when it is asked for; the others are there."""
    (tmp_path / "good.toml").write_text('token_url = "https://good.example/token"')
    (tmp_path / "wrong.toml").write_text('token_ulr = "https://wrong.example/token"')
    (tmp_path / "odd.toml").write_text("token_url = ")
    (tmp_path / "both.toml").write_text('token_url = "https://a.example"\ntoken_endpoint = "b"')
    known = load(built_in=BuiltIn(tmp_path))
    assert known.names == ("both", "good", "odd", "wrong")
    assert [one.name for one in known.providers] == ["good"]
    assert [line for one in known.broken for line in one.why.splitlines()] == [
        f"built-in entry both: {BOTH}",
        "built-in entry odd cannot be read: Invalid value (at end of document)",
        'built-in entry wrong: there is no field "token_ulr" (did you mean "token_url"?)',
    ]
    assert "wrong" not in known
    with pytest.raises(BrokenProvider, match='the entry of provider "wrong" is wrong, so it can'):
        known["wrong"]


@pytest.mark.parametrize(
    ("text", "table", "why"),
    [
        ('[providers.acme]\ntoken_url = "ftp://x"\n', "providers.acme", "must begin with https"),
        ("[providers.acme]\ntoken_url = \n", "providers.acme", "is not valid TOML: Invalid value"),
        ('[providers]\nacme = "x"\n', "providers.acme", "must be a table of its own"),
        ('[providers.acme]\nextends = "gogle"', "providers.acme", 'did you mean "google"'),
        ('[apps.acme]\nclient_idd = "a"\n', "apps.acme", 'no provider is called "acme"'),
        (ACME + '[apps.acme]\nclient_idd = "a"\n', "apps.acme", 'did you mean "client_id"'),
        ('[provider.acme]\ntoken_url = "x"\n', "provider", "no section is called [provider]"),
        ('token_url = "x\n', "the beginning.of the file", "is not valid TOML"),
    ],
)
def test_a_wrong_table_stops_no_other(tmp_path: Path, text: str, table: str, why: str):
    """It is named with the file, table and mend, and the tables around it count."""
    path = tmp_path / "providers.toml"
    path.write_text(GOOD + text if text[0] == "[" else text + GOOD)
    loaded = load(path, tolerant=True)
    assert [app.key for app in loaded.apps] == ["beta/default"]
    assert loaded["beta"].token_url == "https://beta.example/token"
    assert loaded["google"]
    assert [one.table for one in loaded.broken][-1:] == [table]
    assert why in loaded.broken[-1].why
    assert all(line.startswith(str(path)) for line in loaded.broken[-1].why.splitlines())


def test_where_a_text_is_no_toml_the_line_is_told(tmp_path: Path):
    """Parts between headings are read each for itself, and keep their places."""
    path = tmp_path / "providers.toml"
    path.write_text(GOOD + "[providers.x]\n[providers.x.headers]\na = b\n" + ACME + ACME)
    loaded = load(path, tolerant=True)
    assert [one.why.partition(", ")[2] for one in loaded.broken] == [
        "[providers.x]: is not valid TOML: Invalid value (at line 7, column 5)",
        f"[providers.acme]: is not valid TOML: {TWICE} (at line 10, column 16)",
    ]
    assert "acme" not in loaded


def test_an_app_of_a_wrong_entry_is_right(tmp_path: Path):
    """One mistake is one sentence, and the app is stored meanwhile."""
    path = tmp_path / "providers.toml"
    path.write_text('[providers.acme]\nrotation = "x"\n[apps.acme]\nclient_id = "a"\n')
    loaded = load(path, tolerant=True)
    assert [app.key for app in loaded.apps] == ["acme/default"]
    assert [one.table for one in loaded.broken] == ["providers.acme"]


def test_a_wrong_change_of_a_built_in_entry_is_not_left_away(tmp_path: Path):
    """Without it tokens might go elsewhere than the file meant."""
    path = tmp_path / "providers.toml"
    path.write_text('[providers.google]\nextends = "google"\nrefresh_ulr = "https://a.example"\n')
    assert load(path, tolerant=True).get("google") is None


def test_a_mended_entry_is_taken_without_a_restart(tmp_path: Path, monkeypatch):
    """Whoever misses it looks at the file again; what works stays as it is until the next start."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.0)
    path = tmp_path / "providers.toml"
    path.write_text(GOOD + "[providers.acme]\n[providers.google]\n")
    loaded = load(path, tolerant=True)
    assert (loaded.get("acme"), loaded.get("google"), len(loaded.broken)) == (None, None, 2)
    path.write_text(GOOD.replace("/token", "/moved") + ACME)
    assert (loaded["acme"].name, loaded["google"].name, loaded.broken) == ("acme", "google", ())
    assert loaded["beta"].token_url == "https://beta.example/token"
    assert loaded.origin("acme") == "file"
    path.unlink()
    with pytest.raises(UnknownProvider):
        loaded["gamma"]
    path.write_bytes(b"\xff")
    assert loaded.get("gamma") is None


def test_a_file_is_looked_at_once_a_second(tmp_path: Path):
    """Nobody makes us read it for each made-up name."""
    path = tmp_path / "providers.toml"
    path.write_text("")
    loaded = load(path, tolerant=True)
    path.write_text(ACME)
    os.utime(path, (1, 1))
    assert loaded.get("acme") is None


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ('revocation_endpoint = "https://a.example/r"', "revocation_url", "https://a.example/r"),
        ('authorization_endpoint = "https://a.example/a"', "authorize_url", "https://a.example/a"),
        (
            'introspection_endpoint = "https://a.example/i"',
            "introspection_url",
            "https://a.example/i",
        ),
        (
            'identity_field = "sub"\nuserinfo_endpoint = "https://a.example/u"',
            "identity_url",
            "https://a.example/u",
        ),
        ('token_endpoint_auth_method = "client_secret_basic"', "client_auth", "basic"),
        ('token_endpoint_auth_method = "client_secret_post"', "client_auth", "post"),
        ('token_endpoint_auth_method = "none"', "client_auth", "none"),
    ],
)
def test_the_names_of_the_rfcs_are_understood(load_text: Load, line: str, field: str, value: str):
    """RFC 8414 and RFC 7591 have names of their own for fields and values."""
    acme = '[providers.acme]\ntoken_endpoint = "https://acme.example/token"\n'
    assert load_text(acme)["acme"].token_url == "https://acme.example/token"
    assert getattr(load_text(ACME + line)["acme"], field) == value


def test_both_names_of_a_field_are_one_sentence(fault: Fault):
    """Which of them counts is for the writer to say."""
    said = fault(ACME + 'token_endpoint = "https://other.example/token"')
    assert said.endswith(f"[providers.acme]: {BOTH}")


def test_an_entry_that_extends_a_wrong_one_says_so(tmp_path: Path):
    """The fault is told where it is."""
    (tmp_path / "base.toml").write_text("x = ")
    path = tmp_path / "user.toml"
    path.write_text('[providers.mine]\nextends = "base"')
    with pytest.raises(CatalogueError, match='extends is "base", which is wrong itself: built-in'):
        load(path, built_in=BuiltIn(tmp_path))
