"""A stored token goes to no other place than the one that it was handed in for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connections.registration.kit import FRESH, NAMES, PAIR, Opened, Over, kept

MOVING = """
token_url = "http://localhost:{port}/{host}/{tenant}/token"
host_pattern = "eu|us"
host_example = "eu"
placeholders = { tenant = "[a-z]+" }
"""
SOMEWHERE = {**FRESH, "host": "eu", "placeholders": {"tenant": "one"}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "us"}, "host changes"),
        ({"app": "other"}, "app changes"),
        ({"placeholders": {"tenant": "two"}}, "placeholders.tenant changes"),
        ({"host": "us", "access_token": "a", "expires_in": 5}, "host changes"),
    ],
)
def test_a_stored_refresh_token_goes_to_no_other_place(
    opened: Opened, hand_over: Over, change: dict[str, Any], words: str
) -> None:
    """Who may only write cannot have the refresh token, or our secret with it, sent elsewhere."""
    place = opened(MOVING)
    id_ = place.take(SOMEWHERE)
    before = kept(place, id_)
    sentence = hand_over(place, {**NAMES, **change})
    assert sentence is not None
    assert sentence.startswith(words)
    assert "refresh_token must come along" in sentence
    assert kept(place, id_) == before
    # With new tokens it is a move, and the old access token is not served from there.
    moved = {k: v for k, v in change.items() if k in {"host", "placeholders"}}
    assert hand_over(place, {**NAMES, **moved, "refresh_token": "new"}) is None
    if moved:
        assert place.row(id_).expires_at <= place.clock.now


def test_each_mistake_with_a_host_or_a_placeholder_has_its_sentence(
    opened: Opened, hand_over: Over
) -> None:
    """It names the member, with an example to copy."""
    place = opened(MOVING)
    for line, words in (
        ({}, 'host is missing: provider acme needs one for each connection, such as "host": "eu"'),
        ({"host": "eu"}, 'such as "placeholders": {"tenant": "acme"}'),
        ({"host": "evil.example", "placeholders": {"tenant": "a"}}, 'host "evil.example" does not'),
        ({"host": "eu", "placeholders": {"tenant": "A/b"}}, "does not match the pattern"),
        ({"host": "eu", "placeholders": {"tennant": "a"}}, 'did you mean "tenant"?'),
    ):
        sentence = hand_over(place, {**NAMES, **PAIR, **line})
        assert sentence is not None
        assert words in sentence
