"""`providers search`, `list` and `show`: what the catalogue tells people."""

from tests.cli.kit import Cli


def test_providers_are_found_by_name_and_category(bare: Cli):
    """A search tells the likeliest first; what is not there is one sentence."""
    assert bare("providers", "search", "salseforce", "--json").lines[0]["name"] == "salesforce"
    listed = bare("providers", "list", "--category", "crm", "--json").lines
    assert {entry["category"] for entry in listed} == {"crm"}
    bare("providers", "search", "zzzz").refused(
        'no provider is called anything like "zzzz"', code=1
    )
    bare("providers", "list", "--category", "cmr").refused('no provider is of category "cmr"')


def test_a_provider_is_told_in_words_by_subject_and_with_its_sources(bare: Cli):
    """Eighty columns hold all but links, which nobody breaks."""
    shown = bare("providers", "show", "quickbooks").stdout
    assert "A refresh token ends after 100 days without a refresh." in " ".join(shown.split())
    assert "\nHow they are made\n  client_auth" in shown
    assert "\nSources\n  https://" in shown
