"""What people are told of a provider: found by what they call it, in sentences, by subject."""

from dataclasses import replace

import pytest

from refresher.catalogue import load, telling
from refresher.catalogue.telling import SUBJECTS, facts_by_subject, in_words, search
from refresher.rules.consent import Consent, Identity, SecondStep
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


TELLS = Identity(found_in=("id_token", "userinfo"), paths=(("sub",),), label_path=("me", "mail"))
CONSENT = Consent(identity=TELLS)


@pytest.mark.parametrize(
    ("change", "more", "sentence"),
    [
        (
            {"connect": None},
            {},
            "Nobody connects by a consent here. Its entry has no authorize_url",
        ),
        ({}, {}, "People connect by a consent: `refresher connect acme`."),
        ({}, {}, "Which account it was, the id_token or a request with the token tells."),
        ({}, {"unsure": ("identity",)}, "a request with the token tells (not confirmed)."),
        (
            {},
            {"second_step": SecondStep(url="https://a.example")},
            "exchanged for a long-lived one",
        ),
        ({}, {"refresh_token": "sometimes"}, "Not every app is given a refresh token."),
        ({"pkce": "no"}, {}, "No code challenge (PKCE) is sent."),
        ({}, {"asks_host": True}, "the page asks for it."),
        ({}, {"redirect_rule": "https"}, "of an app is https, on loopback too."),
        ({}, {"redirect_rule": "loopback_ip"}, "has 127.0.0.1, not localhost."),
    ],
)
def test_how_people_connect_is_said_in_words(
    change: dict[str, object], more: dict[str, object], sentence: str
) -> None:
    """Or why nobody can."""
    consent = replace(CONSENT, **more)  # type: ignore[arg-type]
    acme = Provider("acme", "https://acme.example/token", connect=consent)
    assert sentence in " ".join(telling.connecting(replace(acme, **change)))  # type: ignore[arg-type]


def test_facts_and_sources_of_the_consent_stand_beside_the_others() -> None:
    """Doubts of the consent mark the entry's own fields, too."""
    consent = replace(CONSENT, unsure=("pkce",), sources=("https://b.example", "https://a.example"))
    acme = Provider("acme", pkce="no", connect=consent, sources=("https://a.example",))
    told = telling.facts_by_subject(acme)
    assert told["for the consent, and for people"] == {"pkce *": "no"}
    assert told["how people connect"] == {
        "identity.found_in": ["id_token", "userinfo"],
        "identity.paths": "sub",
        "identity.label_path": "me.mail",
    }
    assert telling.sources(acme) == ("https://a.example", "https://b.example")
