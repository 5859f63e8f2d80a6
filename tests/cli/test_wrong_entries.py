"""A providers file with a mistake: the command line goes on with the rest, and its checks fail."""

from pathlib import Path

from tests.cli.kit import Cli


def test_a_wrong_entry_fails_a_check_and_stops_no_command(cli: Cli):
    """`providers list` shows the others and says so; `doctor` fails with the same sentence."""
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text(file.read_text() + "[providers.beta]\nrotation = 3\n")
    listed = cli("providers", "list")
    assert (listed.code, "acme" in listed.stdout, "beta" in listed.stdout) == (0, True, False)
    assert "1 table is wrong: `refresher providers check`." in listed.stderr
    cli("providers", "show", "beta").refused('the entry of provider "beta" is wrong')
    wrong = cli("providers", "check")
    assert (wrong.code, "[providers.beta]: rotation must be one of" in wrong.stderr) == (2, True)
    assert cli("providers", "check", "acme").code == 0
    told = cli("doctor")
    assert (told.code, "[providers.beta]: rotation must be one of" in told.stdout) == (1, True)
