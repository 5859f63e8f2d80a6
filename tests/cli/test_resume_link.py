"""`refresher connections resume-link`."""

from __future__ import annotations

import pytest

from tests.cli.kit import Cli


def test_a_link_is_printed_alone(cli: Cli):
    """Stdout holds the URL and nothing else; the rest is told beside it."""
    cli.connect("c1")
    cli.env["REFRESHER_PUBLIC_URL"] = "https://refresher.example"

    ran = cli("connections", "resume-link", "c1", "--expires-in", "2h")

    assert ran.code == 0
    assert ran.stdout.startswith("https://refresher.example/v1/resume/rsm_")
    assert len(ran.stdout.split()) == 1
    assert "works once, by POST" in ran.stderr


def test_without_an_address_it_is_a_path(cli: Cli):
    """The setting that is missing is named, and `--json` has both."""
    cli.connect("c1")

    ran = cli("connections", "resume-link", "c1", "--json")

    assert ran.json["url"] is None
    assert ran.json["path"].startswith("/v1/resume/rsm_")
    assert "REFRESHER_PUBLIC_URL" in ran.stderr


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("soon", "90s, 30min, 2h or 7d"),
        ("", "90s, 30min, 2h or 7d"),
        ("-5min", "90s, 30min, 2h or 7d"),
        ("5s", "a link lasts 60 s to 30 days, not 5 s"),
        ("31d", "a link lasts 60 s to 30 days"),
    ],
)
def test_a_wrong_time_is_refused_in_a_sentence(cli: Cli, given: str, sentence: str):
    """Before anything is stored."""
    cli.connect("c1")

    cli.process("connections", "resume-link", "c1", f"--expires-in={given}").refused(sentence)
