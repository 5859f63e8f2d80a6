"""An OAuth error that somebody hands over as if it were tokens: refused with the provider's own words.

Applications forget to look at the status of a token answer. The words are masked, for an error may
repeat the token that was sent. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from refresher.errors import InvalidConnection
from refresher.rules.connection import is_no_token
from refresher.rules.masking import hide_tokens, mask

MAX_LEVELS = 6
MAX_SAID_LENGTH = 200
_TOKEN_NAMES = frozenset({"accesstoken", "token", "oauthtoken"})
_DETAILS = ("error_description", "message", "error_message", "msg", "detail")


def refuse_error(answer: Mapping[str, object]) -> None:
    """Raises `InvalidConnection` for an answer that tells an error and has no access token."""
    error = answer.get("error") or answer.get("errors")
    if not error or has_access_token(answer):
        return
    raise refusal(_code(error), detail_of(answer, error))


def has_access_token(answer: object, levels: int = MAX_LEVELS) -> bool:
    """Returns whether a usable access token stands anywhere in an answer."""
    if isinstance(answer, list):
        return levels > 0 and any(has_access_token(item, levels - 1) for item in answer)
    if not isinstance(answer, Mapping) or levels == 0:
        return False
    return any(
        not is_no_token(value)
        if isinstance(value, str) and _bare(name) in _TOKEN_NAMES
        else has_access_token(value, levels - 1)
        for name, value in answer.items()
    )


def refusal(code: str, detail: str) -> InvalidConnection:
    """Returns the error for who handed over a provider's."""
    words = f"{code} ({detail})" if detail and detail != code else code
    return InvalidConnection(
        f"this is an error of the provider, and no tokens: {words}; nothing is stored"
    )


def _code(error: object) -> str:
    if isinstance(error, list):
        error = error[0]
    if isinstance(error, Mapping):
        names = ("code", "type", "errorType", "error", "status", "message")
        error = next((error[name] for name in names if error.get(name)), "unnamed")
    return "error" if error is True else said(error)


def detail_of(answer: Mapping[str, object], error: object) -> str:
    """Returns the description of an error, wherever it stands; empty when there is none."""
    places = [answer, error] if isinstance(error, Mapping) else [answer]
    found = (place.get(name) for place in places for name in _DETAILS)
    return said(next((text for text in found if isinstance(text, str) and text), ""))


def said(value: object) -> str:
    """Returns a provider's words on one line, short, with all masked that looks like a secret."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[:1_000])
    return " ".join(hide_tokens(mask(text)).split())[:MAX_SAID_LENGTH]


def _bare(name: object) -> str:
    return str(name).lower().replace("_", "").replace("-", "")
