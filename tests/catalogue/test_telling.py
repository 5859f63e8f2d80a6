"""What people are told of a provider: found by what they call it, in sentences, by subject."""

from dataclasses import replace

import pytest

from refresher.catalogue import load
from refresher.catalogue.telling import SUBJECTS, facts_by_subject, in_words, search
from refresher.rules.providers import BodyForm, Provider, Rotation, Slot, Strategy

PROVIDERS = load().providers
PLAIN = Provider(name="acme", token_url="https://acme.example/token", title="Acme")


def names(text: str) -> list[str]:
    """Returns the names that a search finds."""
    return [provider.name for provider in search(PROVIDERS, text)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("google", "google"),
        ("Exact Online", "exact-online"),
        ("exact online", "exact-online"),
        ("quick", "quickbooks"),
        ("books", "freshbooks"),
        ("intuit", "quickbooks"),
        ("salseforce", "salesforce"),
        ("hubspt", "hubspot"),
    ],
)
def test_a_provider_is_found_by_what_people_call_it(text: str, first: str) -> None:
    """Names, titles and servers are looked at, and slips of the fingers forgiven."""
    assert names(text)[0] == first


def test_a_search_finds_a_whole_category_and_nothing_by_chance() -> None:
    """What is called so comes before what is of that kind."""
    found = names("accounting")
    assert found[0] == "sage-accounting"
    assert {"xero", "quickbooks"} < {*found}
    assert "google" not in found
    assert names("zzz") == []


SENTENCES = [
    ({}, "How long an access token lives, answers tell; 60 min where one does not."),
    ({}, "A refresh may bring another refresh token"),
    ({"unsure": ("rotation",)}, "Whether a refresh spends the refresh token is not known"),
    ({"slots": {"user": Slot(("u",))}}, "others with refresh tokens of their own: user."),
    (
        {"slots": {"user": Slot(("u",), refreshed="together")}},
        "Each answer may bring further tokens beside the main one: user.",
    ),
    ({"rotation": Rotation.ALWAYS}, "Each refresh spends the refresh token and brings another."),
    ({"rotation": Rotation.NEVER, "unsure": ("rotation",)}, "stays the same (not confirmed)."),
    ({"reuse_grace_seconds": 30.0}, "A spent one is taken for 30 s more."),
    ({"access_token_lifetime_seconds": 600.0}, "An access token lives 10 min, or as long as"),
    ({"refresh_token_lifetime_seconds": 86_400.0 * 30}, "ends after 30 days without a refresh."),
    (
        {"refresh_token_lifetime_seconds": 864_000.0, "refresh_token_clock": "fixed"},
        "ends 10 days after the consent: then a person is asked.",
    ),
    ({"unsure": ("refresh_token_lifetime_seconds",)}, "When a refresh token ends is not known."),
    ({"min_token_age_seconds": 86_400.0}, "renewed no sooner than it is 24 h old."),
    ({"not_before_expiry_seconds": 60.0}, "no sooner than 60 s before its end."),
    ({"strategy": Strategy.CLIENT_CREDENTIALS}, "the app itself is given an access token"),
    ({"strategy": Strategy.PLUGIN, "plugin": "odd"}, "is the business of the plug-in odd"),
    ({"strategy": Strategy.LONG_LIVED_EXCHANGE}, "exchanged for a longer one."),
]


@pytest.mark.parametrize(("change", "sentence"), SENTENCES)
def test_what_tokens_do_is_said_in_words(change: dict[str, object], sentence: str) -> None:
    """Each fact has its sentence, and says where it is not confirmed."""
    assert sentence in " ".join(in_words(replace(PLAIN, **change)))  # type: ignore[arg-type]


def test_facts_are_told_by_subject_and_only_where_they_say_something() -> None:
    """What is as in most entries is left away; a star marks what no source confirms."""
    told = facts_by_subject(
        replace(PLAIN, body=BodyForm.JSON, unsure=("body",), keep_fields=("id",))
    )
    assert told["how they are made"] == {"client_auth": "post", "body *": "json"}
    assert told["how answers are read"] == {"keep_fields": ["id"]}
    assert set(told) < set(SUBJECTS.values())
    assert [*facts_by_subject(PLAIN)] == [
        "where requests go", "how they are made", "what its tokens do",
    ]  # fmt: skip
