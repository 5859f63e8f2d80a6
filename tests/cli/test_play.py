"""`refresher providers check --play`: an entry of the file, proven against a server that plays it."""

from pathlib import Path

from tests.cli.kit import Cli


def test_an_entry_of_your_file_is_played(cli: Cli):
    """`--play` says nothing of a good entry; a wrong one exits with 1 and a sentence."""
    assert cli("providers", "check", "--play").code == 0
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text(
        '[providers.acme]\ntoken_url = "https://a.example/token"\nrotation = "always"\n'
        "reuse_grace_seconds = 30\nreplay_after_seconds = 60\n"
    )
    played = cli("providers", "check", "--play")
    assert played.code == 1
    assert played.stdout.startswith("acme: lost answer: ")
    assert "1 checked and 1 broken promise" in played.stderr
    assert cli("providers", "check", "--play", "--json").json["ok"] is False
