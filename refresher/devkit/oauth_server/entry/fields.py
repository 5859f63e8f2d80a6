"""Which fields of an entry this server plays, and which are facts that need no playing.

What an entry says in a field that is neither is a promise that nobody has tried: `unplayable` names it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields

from refresher.rules.facts import Facts
from refresher.rules.providers import Provider

PLAYED = frozenset(
    {
        *("token_url", "refresh_url", "revocation_url", "host_pattern", "placeholders"),
        *("max_requests_per_second", "client_auth", "body", "method", "grant_type", "strategy"),
        *("token_parameter", "parameter_names", "parameters", "headers", "send_scope"),
        *("response_path", "answer_names", "access_token_lifetime_fields"),
        *(
            "refresh_token_lifetime_fields",
            "keep_fields",
            "slots",
            "error_path",
            "error_detail_path",
        ),
        *("dead_grant_errors", "dead_grant_errors_at_any_status", "misconfigured_errors"),
        *("retry_errors", "success_without_error_codes", "rotation", "reuse_grace_seconds"),
        *("access_token_lifetime_seconds", "refresh_token_lifetime_seconds"),
        *("access_token_lifetime_format", "refresh_token_lifetime_format", "pause_scope"),
        *("prolongs", "reuse_grace_ends", "refresh_interval_seconds"),
        "old_access_token_survives",
        *("refresh_token_absolute_seconds", "refresh_token_absolute_fields"),
        *("query", "scope_separator", "send_client_id", "path_placeholders"),
        *("revocation_method", "revocation_body", "revocation_parameters", "revocation_headers"),
        *("revocation_client_auth", "revocation_token"),
        *("status_errors", "refusal_statuses"),
        *("assertion", "client_assertion", "assertion_audience", "assertion_seconds"),
        *("signing_algorithm", "needs_key_id"),
        *("refresh_token_clock", "not_before_expiry_seconds", "min_token_age_seconds"),
        *("authorize_url", "authorize_parameters", "pkce", "identity_url", "connect"),
    }
)

_FOR_PEOPLE = "a fact for people: no request and no answer depends on it"
_OURS = "says what refresher does, not what the provider does; the contract test asks for it"
FACTS: Mapping[str, str] = {
    **{field.name: _FOR_PEOPLE for field in fields(Facts) if field.name not in PLAYED},
    "name": _FOR_PEOPLE,
    "title": _FOR_PEOPLE,
    "revocation_ends": "here, an account has one grant: what ends by it is the same",
    "default_placeholders": "values for placeholders, which are played",
    "default_host": "a value for {host}, which is played",
    "host_example": "a value for {host}, which is played",
    "replay_after_seconds": _OURS,
    "retry": _OURS,
    "plugin": "what a plug-in asks and reads is in no entry: testing.check_strategy proves one",
    "issuer": "tells where the endpoints are: asked before any token, by tests of its own",
}


def unplayable(entry: Provider) -> list[str]:
    """Returns a sentence for each field that the entry uses and this server does not know."""
    return [
        f"{entry.name}: the OAuth server does not play {field.name}, which the entry sets: teach it "
        "(refresher/devkit/oauth_server/entry), or say in fields.py why nothing is to be played"
        for field in fields(entry)
        if field.name not in PLAYED and field.name not in FACTS and _is_set(entry, field.name)
    ]


def _is_set(entry: Provider, name: str) -> bool:
    declared = next(field for field in fields(entry) if field.name == name)
    if declared.default_factory is not MISSING:
        return bool(getattr(entry, name) != declared.default_factory())
    return bool(getattr(entry, name) != declared.default)
