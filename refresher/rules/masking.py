"""Masks what looks like a secret in anything that leaves this process for people to read.

A second net: `Secret` masks itself and no module logs a body or a header. What an exception of a
library or a careless line carries is caught here: credentials in headers, URLs and forms, JWTs, and
long random texts. Ids, times, paths and our own words stay readable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

MASK = "***"
DEEPEST = 8
"""Values nested deeper are not shown at all."""
_NAME = (
    r"(?:access|refresh|id|client|session|api|fb_exchange|bearer|csrf|secret|auth|ssl)?[_-]?"
    r"(?:tokens?|secret|password|passwd|pwd|assertion|apikey|api[_-]key|credentials?)"
)
_SECRET_KEY = re.compile(
    rf"(?i)^(?:.*[_.-])?(?:{_NAME}|authorization|cookie|set-cookie|code|code_verifier|dsn"
    r"|encryption_keys?)$"
)
_PLAIN_KEYS = frozenset({"lease_token", "begun_token", "expired_tokens", "key_id", "status_code"})
"""Names that only sound like secrets."""
_SCHEME = re.compile(r"(?i)\b(bearer)(\s+)(?=\S*\d|\S{16})[A-Za-z0-9._~+/=-]{4,}")
_HEADER = re.compile(r"(?i)((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)[^\r\n,}]+")
_ASSIGNED = re.compile(
    rf"(?i)(?<![a-z0-9_])((?:[a-z0-9]{{1,20}}[_-]){{0,4}}{_NAME}|code|code_verifier)"
    r"(['\"]?\s*(?:=|:|%3d)\s*)"
    r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&;,'\"}\])]+)"
)
_USER_INFO = re.compile(
    # Up to the last @ before a slash; where a slash stands unescaped in the password, and what is
    # before it is no port, up to the last @ there is.
    r"(?<=://)([^/\s:@]{0,200}):(?:[^/\s?#]{1,500}(?=@)|(?!\d{1,5}[/?#])[^\s\"'<>]{1,500}(?=@))"
)
_STORE = re.compile(
    r"(?i)(?<![a-z])((?:postgres(?:ql)?(?:\+[a-z0-9]+)?|rediss?|valkeys?|smtps?|amqps?|mysql)://)"
    r"([^\s\"'<>]{1,500})(?=@)"
)
"""URLs that have a password as a rule: nothing before the last @ is trusted to be a port."""
_QUERY = re.compile(
    r"(?i)([?&][^=&\s]{0,40}(?:password|secret|token|key)[^=&\s]{0,40}=)[^&\s\"'<>]*"
)
_DOTTED = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{9,}+(?:\.[A-Za-z0-9_-]*+){1,4}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{6}")
_KNOWN = re.compile(
    r"\b(?:ya29\.|1//|gh[opsur]_|github_pat_|xox[abeprs]-|EAA[A-Za-z0-9]|sk_(?:live|test)_|"
    r"whsec_|glpat-|rfr_)[A-Za-z0-9._/-]{6,}"
)
_RANDOM = re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9_+/-]{32,}={0,2}")
_LIKE_A_TOKEN = re.compile(r"(?=(?:[\w.~+/=-]*?\d){2})[\w.~+/=-]{20,}")
_HEX_ID = re.compile(r"^[0-9a-f-]{32,36}$")
_WORD = re.compile(r"^(?:[A-Z]?[a-z]*\d{0,4}|[A-Z]+\d{0,4}|\d+)$")
_LEAST_RANDOM = 16


def mask(text: str) -> str:
    """Returns `text` with everything masked that looks like a token, a password or a key."""
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _SCHEME.sub(rf"\1\2{MASK}", text)
    text = _ASSIGNED.sub(_assigned, text)
    text = _STORE.sub(_user, text)
    text = _USER_INFO.sub(rf"\1:{MASK}", text)
    text = _QUERY.sub(rf"\1{MASK}", text)
    text = _DOTTED.sub(_jwt, text)
    text = _KNOWN.sub(MASK, text)
    return _RANDOM.sub(_random, text)


def masked_url(url: str) -> str:
    """Returns a URL without its password: `user:***@host`; nothing at all of what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    return mask(url) if parts.scheme and (parts.netloc or parts.path) else MASK


def hide_tokens(text: str) -> str:
    """Returns a provider's words without what may be a token: twenty characters, two digits among them.

    Sterner than `mask`, for an error may repeat what was sent; give it a thousand characters at most.
    """
    return _LIKE_A_TOKEN.sub(MASK, text)


def masked(value: Any, depth: int = 0) -> Any:
    """Returns `value` with every text in it masked, and whatever stands under a secret's name.

    Numbers, instants and None stay as they are; of other objects their masked text is returned.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth > DEEPEST:
        return MASK
    if isinstance(value, Mapping):
        return {k: _entry(k, v, depth) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(item, depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return mask(str(value))


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret, whatever it looks like."""
    return name.lower() not in _PLAIN_KEYS and bool(_SECRET_KEY.match(name))


def _entry(name: Any, value: Any, depth: int) -> Any:
    if isinstance(name, str) and is_secret_name(name) and isinstance(value, str | bytes):
        return MASK
    return masked(value, depth + 1)


def _assigned(found: re.Match[str]) -> str:
    name, between, value = found.groups()
    if name.lower() in _PLAIN_KEYS:
        return found[0]
    if name.lower() == "code" and value.strip("'\"").isdigit():
        return found[0]  # an exit code
    quote = value[0] if value[0] in "'\"" else ""
    return f"{name}{between}{quote}{MASK}{quote}"


def _jwt(found: re.Match[str]) -> str:
    """Masks from where a JWT begins; two patterns, so that no text is read again and again."""
    whole = found[0]
    begin = _JWT.search(whole, 0, whole.index("."))
    return whole[: begin.start()] + MASK if begin else whole


def _user(found: re.Match[str]) -> str:
    """Masks user and password of a URL; the user stays where it is one for certain."""
    user, colon, _ = found[2].partition(":")
    if set(user) & set("@/?"):
        return found[1] + MASK
    return found[1] + user + (f":{MASK}" if colon else "")


def _random(found: re.Match[str]) -> str:
    """Masks a long text of mixed characters; ids in hex, words and paths are none."""
    text = found[0]
    if _HEX_ID.match(text):
        return text
    pieces = re.split(r"[_/+=-]", text)
    odd = sum(len(piece) for piece in pieces if not _WORD.match(piece))
    return MASK if odd >= _LEAST_RANDOM else text
