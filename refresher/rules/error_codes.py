"""Reads the error code of an answer, and the provider's words about it: as the catalogue says, masked.

And what an answer says that has neither a token nor an error: that all is well, or a grant unread.
Nothing here can raise on any input. Sources: RFC 6749 section 5.2, and the providers' own spellings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from refresher.rules.bodies import at, header, text_of
from refresher.rules.connection import Reply, as_token
from refresher.rules.masking import hide_tokens
from refresher.rules.paths import first_at, ways
from refresher.rules.providers import Path, Provider
from refresher.rules.unread import looks_like_a_grant

MAX_CODE_LENGTH = 64
MAX_DETAIL_LENGTH = 200
NO_CONTENT = 204
_MOST_CHARACTERS = 1_024
"""Of what is shown, so much is looked at: the look costs more than a straight line."""
_DEAD = re.compile(r"invalid_grant(?=[\s:,;.(-]|$)", re.IGNORECASE)
_DEAD_AT_THE_END = re.compile(r"\S+\s.*:\s*invalid_grant\.?", re.IGNORECASE | re.DOTALL)


def error_code(provider: Provider, answer: Mapping[str, object]) -> str | None:
    """Returns the provider's error code, short and printable, or None when it gave none.

    Where the catalogue lists the code together with the beginning of its description, that whole
    spelling is returned: Exact Online's `unauthorized_client` is a dead grant when it goes on with
    "Old refresh token used", and a refused app when it does not.
    """
    for path in ways(provider.error_path):
        code = _code_at(answer, path)
        if code is not None and code not in provider.success_without_error_codes:
            return (
                _listed_spelling(provider, answer, code)
                or _dead_grant(provider, code)
                or _printable(code)
            )
    return None


def _code_at(answer: Mapping[str, object], path: Path) -> str | None:
    value = at(answer, path)
    if isinstance(value, dict):  # Meta: {"error": {"type": "OAuthException", "code": 190}}
        value = value.get("code") or value.get("type") or value.get("status")
    if value is None or value == "" or isinstance(value, bool | list | dict):
        return None
    return str(value)


def error_detail(provider: Provider, answer: Mapping[str, object]) -> str | None:
    """Returns the provider's own words about an error, one line, masked; None when it gave none."""
    said = first_at(answer, provider.error_detail_path)
    error = first_at(answer, provider.error_path)
    code = error_code(provider, answer) or ""
    told = [said, answer.get("error_subtype")]
    if isinstance(error, dict):
        told.append(error.get("message"))
    elif isinstance(error, str) and error.strip() != code:
        told.append(error)
    words = [
        w for t in told if isinstance(t, str | int) and (w := _masked(" ".join(str(t).split())))
    ]
    return "; ".join(dict.fromkeys(words))[:MAX_DETAIL_LENGTH] or None


def _dead_grant(provider: Provider, code: str) -> str | None:
    """Returns the standard code of a dead grant that is told with words before or after it.

    Before it only in a sentence that ends with a colon and the code: what merely mentions it is no
    verdict on the grant.
    """
    if code.strip() in _listed(provider):
        return None
    said = code.strip()[:_MOST_CHARACTERS]
    return "invalid_grant" if _DEAD.match(said) or _DEAD_AT_THE_END.fullmatch(said) else None


def _listed(provider: Provider) -> frozenset[str]:
    return provider.dead_grant_errors | provider.misconfigured_errors | provider.retry_errors


def _listed_spelling(provider: Provider, answer: Mapping[str, object], code: str) -> str | None:
    detail = first_at(answer, provider.error_detail_path)
    said = [code.strip(), *([f"{code}: {detail}"] if isinstance(detail, str) else [])]
    if len(said) > 1 and _dead_grant(provider, code):
        said.append(f"invalid_grant: {detail}")
    said = [text.casefold() for text in said]
    known = (spelling for spelling in _listed(provider) if ": " in spelling)
    found = (k for k in known if any(text.startswith(k.casefold()) for text in said))
    return max(found, key=len, default=None)


def _printable(code: str) -> str | None:
    """Returns `code` fit for events and logs: an error text that repeats our token is masked."""
    return _masked(code)[:MAX_CODE_LENGTH] or None


def _masked(text: str) -> str:
    shown = "".join(c for c in text[:_MOST_CHARACTERS] if c.isprintable()).strip()
    return hide_tokens(shown)


def is_held(reply: Reply) -> bool:
    """Whether an answer without a token may be a grant that we could not read."""
    content_type = header(reply.headers, "content-type")
    return looks_like_a_grant(text_of(reply.body, reply.headers), content_type)


def says_all_is_well(reply: Reply, answer: Mapping[str, object]) -> bool:
    """Whether a 2xx without a token and without an error says so.

    A page does not, nor what broke off, and what looks like a grant is one that we could not read.
    """
    status = reply.status or 0
    if not 200 <= status < 300 or reply.failure is not None or not (answer or status == NO_CONTENT):
        return False
    return not (as_token(answer.get("refresh_token")) or says_no(answer) or is_held(reply))


def says_no(answer: Mapping[str, object]) -> bool:
    """Whether an answer says in so many words that it is a refusal, without a code."""
    return answer.get("ok") is False or answer.get("success") is False
