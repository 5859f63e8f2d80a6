"""How a provider stands: the word, the sentence, and what follows from each kind of pause."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.faults import Sort
from refresher.rules.needs import plain
from refresher.rules.provider_standing import (
    Hold,
    ProviderFacts,
    ProviderState,
    share_tone,
    standing,
    trouble,
    worst,
)

NOW = datetime(2026, 11, 29, 14, 32, tzinfo=UTC)
REFUSED = Hold(
    Sort.REFUSED,
    "invalid_client",
    NOW - timedelta(minutes=8),
    NOW + timedelta(minutes=2),
    probing=False,
    app="default",
)
SILENT = replace(REFUSED, sort=Sort.SILENT, reason="HTTP 503", app=None)
LIMITED = replace(SILENT, sort=Sort.LIMITED, reason="HTTP 429", until=NOW + timedelta(seconds=41))
WELL = ProviderFacts("quickbooks", "QuickBooks Online", connections=4, refreshed=99.0, failed=1.0)


@pytest.mark.parametrize(
    ("facts", "state", "label", "tone"),
    [
        ({}, ProviderState.ANSWERS, "answers", "good"),
        ({"refreshed": 0.0, "failed": 0.0}, ProviderState.QUIET, "quiet", "still"),
        ({"refreshed": None, "failed": None}, ProviderState.NOT_HELD, "not held up", "good"),
        ({"refreshed": 2.0, "failed": 3.0}, ProviderState.FAILING, "mostly fails", "warn"),
        ({"refreshed": 0.0, "failed": 3.0}, ProviderState.ANSWERS, "answers", "good"),
        ({"holds": [LIMITED]}, ProviderState.WAITING, "asked us to wait", "still"),
        ({"holds": [LIMITED, SILENT]}, ProviderState.LEFT_ALONE, "left alone", "warn"),
        ({"holds": [SILENT, REFUSED]}, ProviderState.REFUSED, "app refused", "bad"),
        (
            {"holds": [replace(SILENT, host="na1.example")]},
            ProviderState.LEFT_ALONE,
            "left alone in part",
            "warn",
        ),
        ({"unread": 2, "holds": [SILENT]}, ProviderState.UNREAD, "unread answers", "bad"),
        ({"unread": 2, "holds": [REFUSED]}, ProviderState.REFUSED, "app refused", "bad"),
        ({"fault": "it lacks", "unread": 1}, ProviderState.NO_ENTRY, "no entry", "bad"),
    ],
)
def test_a_provider_stands_in_one_word(facts, state, label, tone):
    """The worst that holds; red only where a person mends it."""
    found = standing(replace(WELL, **facts), NOW)
    assert (found.state, found.label, found.tone) == (state, label, tone)


@pytest.mark.parametrize(
    ("facts", "sentence", "more"),
    [
        ({}, "It answers.", "99.0 % of its 100 answers in the last 10 minutes brought a token."),
        (
            {"refreshed": 2.0, "failed": 3.0},
            "Most of its answers bring no token.",
            (
                "60 % of its 5 answers in the last 10 minutes brought none. Each connection is tried "
                "again by itself; `refresher explain` tells why one stands so."
            ),
        ),
        (
            {"refreshed": 0.0, "failed": 0.0},
            "Nothing holds it up.",
            "Nothing was asked of it in the last 10 minutes.",
        ),
        ({"refreshed": None, "failed": None}, "Nothing holds it up.", ""),
        ({"refreshed": 0.0, "failed": 0.0, "connections": 0}, "No connection uses it.", ""),
        (
            {"fault": "acme.toml: token_url is missing"},
            "It has no entry in the catalogue that can be used.",
            "acme.toml: token_url is missing",
        ),
        (
            {"holds": [replace(REFUSED, waiting=682, first_ends_at=NOW + timedelta(minutes=4))]},
            "It refuses our app quickbooks/default: invalid_client.",
            (
                "Since 14:24. 682 connections wait. No connection ends by it; the first of their "
                "tokens ends at 14:36. As soon as a right secret is stored, all go on, spread "
                "over a few seconds."
            ),
        ),
        (
            {"holds": [replace(SILENT, waiting=1, ended=1)]},
            "It is left alone: HTTP 503.",
            (
                "Since 14:24. 1 connection waits. No connection ends by it; 1 of their access tokens "
                "has ended. One of them tries in 2 min."
            ),
        ),
        (
            {"holds": [replace(LIMITED, waiting=0)]},
            "It asked us to wait: HTTP 429.",
            "Since 14:24. No connection waits for it yet. One of them tries in 41 s.",
        ),
    ],
)
def test_the_sentence_answers_and_what_follows_proves(facts, sentence, more):
    """Is it them, or us; since when, who waits, and when it goes on."""
    found = standing(replace(WELL, **facts), NOW)
    assert (found.sentence, plain(found.more)) == (sentence, more)


def test_unread_answers_are_counted_in_the_sentence():
    """What a person can do about them stands below."""
    found = standing(replace(WELL, unread=3), NOW)
    assert found.sentence == "3 of its answers could not be read."
    assert "read them again" in plain(found.more)


def test_a_pause_is_an_item_of_a_list():
    """Title, since when, who waits, when one tries; host and organization where it holds a part."""
    found = trouble("QuickBooks Online", "quickbooks", replace(REFUSED, waiting=10_001), NOW)
    assert found.title == "QuickBooks Online refuses our app quickbooks/default: invalid_client"
    assert plain(found.words) == (
        "Since 14:24. More than 10,000 connections wait. One of them tries again at 14:34; a right "
        "secret lets all go on at once."
    )
    part = replace(SILENT, host="eu.zoho.example", organization_id="org-1", probing=True)
    found = trouble("Zoho", "zoho", part, NOW)
    assert found.title == (
        "Zoho is left alone at eu.zoho.example for the organization org-1: HTTP 503"
    )
    assert plain(found.words) == "Since 14:24. One of them tries now."


def test_several_ended_tokens_are_told_with_the_next_end():
    """Of those behind a pause some tokens have ended: how many, and when the next one does."""
    held = replace(SILENT, waiting=9, ended=2, first_ends_at=NOW + timedelta(minutes=1))
    found = standing(replace(WELL, holds=[held]), NOW)
    assert "2 of their access tokens have ended; the next of them ends at 14:33" in plain(
        found.more
    )


def test_what_holds_everybody_matters_more_than_a_part():
    """Of one kind the whole comes first; without a pause there is none."""
    part = replace(SILENT, organization_id="org-1")
    assert worst([part, SILENT]) is SILENT
    assert worst([]) is None


@pytest.mark.parametrize(
    ("share", "tone"), [(None, None), (0.01, None), (0.024, "warn"), (0.061, "bad")]
)
def test_a_share_is_marked_from_some_height_on(share, tone):
    """A few failures are as any other number."""
    assert share_tone(share) == tone
