"""What an entry says of answers and behaviour, and the sentence for each contradiction."""

from __future__ import annotations

import pytest

from tests.catalogue.conftest import ACME, Fault, Load


def test_every_field_can_be_written(load_text: Load):
    """As an unusual provider needs it, it arrives as it was written."""
    of = load_text(
        ACME + 'error_path = [["error"], ["errors", 0, "code"]]\n'
        'error_detail_path = [["message"], ["errors", 0, "title"]]\n'
        'status_errors = { 401 = "invalid_grant", 500 = "gone" }\nrefusal_statuses = [500]\n'
        'access_token_lifetime_format = "minutes"\nrefresh_token_lifetime_format = "jwt"\n'
    )["acme"]
    assert of.error_path == (("error",), ("errors", 0, "code"))
    assert of.error_detail_path == (("message",), ("errors", 0, "title"))
    assert of.status_errors == {"401": "invalid_grant", "500": "gone"}
    assert of.refusal_statuses == {500}
    assert of.access_token_lifetime_format == "minutes"
    assert of.refresh_token_lifetime_format == "jwt"


def test_a_path_by_itself_stays_one_path(load_text: Load):
    """A list of names is a way, a list of lists is several."""
    of = load_text(ACME + 'error_path = ["a", 0]\nerror_detail_path = []')["acme"]
    assert (of.error_path, of.error_detail_path) == (("a", 0), ())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('error_path = [["error"], "code"]', "error_path must be a list of names, and numbers"),
        ('error_path = [["error"], []]', "error_path must not be empty"),
        ("error_path = [[]]", "error_path must not be empty"),
        ("error_path = []", "error_path must not be empty"),
        ("error_path = 3", "error_path must be a list of names, and numbers"),
        ('status_errors = { 700 = "x" }', 'status_errors has "700", which is no status from 300'),
        ('status_errors = { 200 = "x" }', 'status_errors has "200", which is no status from 300'),
        ('status_errors = { gone = "x" }', 'status_errors has "gone", which is no status'),
        ('status_errors = { 429 = "x" }', "status_errors has 429, which never is more than"),
        ('status_errors = { 500 = "x" }', "status_errors has 500, at which codes do not count"),
        ("status_errors = { 401 = 1 }", "status_errors.401 must be a text in quotes"),
        ("refusal_statuses = [400]", "refusal_statuses has 400, but takes 500 to 599"),
        ('refusal_statuses = ["500"]', "refusal_statuses, item 1, must be a whole number"),
        ('access_token_lifetime_format = "hours"', 'is "hours", but must be one of "auto"'),
        ('pause_scope = "provider"', 'pause_scope is "provider", which needs a URL with a'),
        ('prolongs = true\nstrategy = "client_credentials"', "prolongs is true, but client_cred"),
        (
            'reuse_grace_ends = "new_access_token_used"\nrotation = "never"',
            'reuse_grace_ends is "new_access_token_used", but rotation is "never"',
        ),
        ('reuse_grace_ends = "use"', 'reuse_grace_ends is "use", but must be one of "time"'),
        ("refresh_interval_seconds = -1", "refresh_interval_seconds must not be negative"),
        (
            "access_token_lifetime_seconds = 60\nrefresh_interval_seconds = 60",
            "refresh_interval_seconds is 60, not less than access_token_lifetime_seconds (60)",
        ),
        ('retry = "never"\nreuse_grace_seconds = 9', 'retry is "never", but a spent token has a'),
        ('retry = "never"\nrotation = "never"', 'retry is "never", but rotation is "never"'),
        ('retry = "never"\nreplay_after_seconds = 9', "replay_after_seconds is set, but retry is"),
        (
            'refresh_token_absolute_seconds = 9\nrefresh_token_clock = "fixed"',
            'refresh_token_absolute_seconds is set, but refresh_token_clock is "fixed"',
        ),
        (
            'refresh_token_absolute_fields = ["hard"]\nrefresh_token_clock = "fixed"',
            'refresh_token_absolute_fields is set, but refresh_token_clock is "fixed"',
        ),
        (
            "refresh_token_absolute_seconds = 9\nrefresh_token_lifetime_seconds = 9",
            "refresh_token_absolute_seconds is 9, not more than refresh_token_lifetime_seconds",
        ),
        (
            'refresh_token_absolute_fields = ["refresh_expires_in"]',
            'refresh_token_absolute_fields has "refresh_expires_in", which tells the sliding end',
        ),
        ('pause_scope = "app"', 'pause_scope is "app", but must be one of "host", "provider"'),
    ],
)
def test_a_contradiction_is_one_sentence(fault: Fault, line: str, sentence: str):
    """A mistake names the file, the table and the field, and says what to do."""
    said = fault(ACME + line)
    assert "providers.toml, [providers.acme]: " in said
    assert sentence in said
    assert "\n" not in said
