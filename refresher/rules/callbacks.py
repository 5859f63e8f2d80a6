"""Reads what a provider sends back through the browser: a code, or an error, once each (C13). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refresher.rules.connect import Problem, Trouble, shown
from refresher.rules.connection import Secret

MOST_BYTES = 4_096
"""Of a callback's query in all."""
ONCE = ("code", "state", "iss", "error")
_PROBLEMS: Mapping[str, Problem] = {
    **dict.fromkeys(
        ("access_denied", "user_denied", "user_cancelled_login", "user_cancelled_authorize",
         "user_cancelled", "consent_denied", "cancelled", "canceled"),
        Problem.DENIED,
    ),
    **dict.fromkeys(("temporarily_unavailable", "server_error"), Problem.PROVIDER_TROUBLE),
    **dict.fromkeys(
        ("invalid_scope", "unauthorized_client", "invalid_request", "unsupported_response_type",
         "invalid_client", "redirect_uri_mismatch", "invalid_target"),
        Problem.APP_WRONG,
    ),
    **dict.fromkeys(
        ("login_required", "interaction_required", "consent_required", "account_selection_required"),
        Problem.CONSENT_NEEDED,
    ),
}  # fmt: skip
"""What an error of a callback means (C27); one that is not here is trouble, and stands in `problem`."""


@dataclass(frozen=True, slots=True)
class Callback:
    """What a provider sent through the browser, read: each of these at most once."""

    state: str | None = field(default=None, repr=False)
    code: Secret | None = None
    error: str | None = None
    description: str | None = None
    iss: str | None = None
    fault: str | None = None


def read_callback(pairs: Sequence[tuple[str, str]]) -> Callback:
    """Returns what a callback says; what comes twice, or too much of it, is no answer (C13)."""
    many = Counter(name for name, _ in pairs)
    given = {name: text for name, text in pairs if many[name] == 1}
    state = given.get("state") or None
    twice = next((name for name in ONCE if many[name] > 1), None)
    if twice is not None:
        return Callback(state, fault=f"{twice} came {many[twice]} times")
    if sum(len(name) + len(text) + 2 for name, text in pairs) > MOST_BYTES:
        return Callback(state, fault=f"it has more than {MOST_BYTES:,} characters")
    return Callback(
        state,
        Secret(given["code"]) if given.get("code") else None,
        given.get("error") or None,
        given.get("error_description") or given.get("error_reason") or None,
        given.get("iss"),
    )


def wrong_issuer(told: str | None, known: str | None, *, announces_iss: bool) -> str | None:
    """Returns why an answer is not this issuer's (RFC 9207 section 2.4); None: it is."""
    if told is None:
        return "iss is missing, and the issuer announces it" if announces_iss else None
    if known is not None and told != known:
        return "iss names another issuer than the one that was asked"
    return None


def refusal(error: str, description: str | None) -> Trouble:
    """Returns what an error of a callback means; its words are for developers alone (C25, C27)."""
    code = _PROBLEMS.get(error, Problem.PROVIDER_TROUBLE)
    said = shown(error, 80)
    more = shown(description, 200) if description else ""
    return Trouble(code, f"{said}: {more}" if more else said)
