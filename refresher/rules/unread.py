"""What can be told of a body that nobody can read as a token answer: whether it may be a grant.

Pure. It looks like one when it names a token, in whatever words and notation, and is no page: then the
refresh token that was sent may be spent. A proxy's page, a captcha, a picture or an empty body is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import orjson

PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|script|title|meta)\b", re.IGNORECASE)
_FAULT = re.compile(r"<(?:\w+:)?(?:fault|error)\b", re.IGNORECASE)
_NAMED = re.compile(r"""([\w.:-]{1,64})["']?\s{0,8}(?:=>|[:=>])\s{0,8}["'(]{0,2}([^\s"'<>&,;]+)""")
_TOKENS = re.compile(r"token|jwt|bearer|^access$|^refresh$|^authorization$")
_OTHERS = re.compile(
    r"type|csrf|xsrf|captcha|challenge|expire|lifetime|error|message|url|endpoint|hint"
)
_PICTURES = re.compile(r"\s*(?:image|audio|video|font)/", re.IGNORECASE)
_MOST_CHARACTERS = 65_536
_MOST_VALUES = 2_000
_LEAST_BINARY = 32
_MOST_OUTLINED = 40
_MOST_OF_A_NAME = 40


def looks_like_a_grant(text: str, content_type: str = "") -> bool:
    """Whether a token may stand in `text`, the body as well as it could be decoded.

    Bytes that make no text may hold anything: they count as a grant, unless they are a picture's.
    """
    if not text or _PICTURES.match(content_type) or _is_page(text, content_type):
        return False
    try:
        value = orjson.loads(text)
        value = orjson.loads(value) if isinstance(value, str) else value
    except ValueError:
        return _is_binary(text) or _in_other_notation(text[:_MOST_CHARACTERS])
    return any(names_token(name, inner) for name, inner in _fields(value))


def outlined(text: str) -> list[str]:
    """Returns the names in an answer and how large what they name is: no value, nothing token-like."""
    try:
        value = orjson.loads(text)
    except ValueError:
        names = [name for name, _ in _NAMED.findall(text[:_MOST_CHARACTERS])]
        named = [f"{_shown(name)}: …" for name in dict.fromkeys(names)][:_MOST_OUTLINED]
        return [f"{len(text):,} characters, no JSON", *named]
    lines = [f"{_shown(name)}: {_size(inner)}" for name, inner in islice(_fields(value), 200)]
    return (lines or [_size(value)])[:_MOST_OUTLINED]


def _shown(name: str) -> str:
    plain = "".join(c for c in name if c.isascii() and c.isprintable())
    return plain if len(plain) <= _MOST_OF_A_NAME else f"{plain[:4]}… (a name of {len(name)})"


def _size(value: object) -> str:
    match value:
        case str():
            return f"a text of {len(value):,} characters"
        case dict():
            return f"an object of {len(value):,}"
        case list():
            return f"a list of {len(value):,}"
        case _:
            return "a number, true, false or null"


def names_token(name: str, value: object) -> bool:
    """Whether a field holds a token by its name, in whatever spelling: `accessToken`, `jwt`."""
    if not isinstance(value, str) or not value.strip() or any(c.isspace() for c in value.strip()):
        return False
    plain = re.sub(r"[^a-z]", "", name.lower())
    return bool(_TOKENS.search(plain)) and not _OTHERS.search(plain) and "://" not in value


def _is_page(text: str, content_type: str) -> bool:
    """PHP calls all that it says HTML, so that word alone proves nothing."""
    if PAGE.search(text[:_MOST_CHARACTERS]):
        return True
    return "html" in content_type.lower() and text.startswith("<") and "{" not in text


def _fields(value: object) -> Iterator[tuple[str, object]]:
    """Yields the fields of all objects within `value`, without recursion."""
    layer, seen = [value], 0
    while layer and seen < _MOST_VALUES:
        inner = layer.pop()
        seen += 1
        if isinstance(inner, dict):
            yield from inner.items()
            layer.extend(inner.values())
        elif isinstance(inner, list):
            layer.extend(inner)


def _in_other_notation(text: str) -> bool:
    """XML, a form, broken JSON, lines of `name: value`."""
    return not _FAULT.search(text) and any(names_token(*found) for found in _NAMED.findall(text))


def _is_binary(text: str) -> bool:
    """Whether this is no text at all: a packing that is unknown here, or a cipher."""
    start = text[:512]
    odd = sum(not (c.isprintable() or c.isspace()) or c == "\ufffd" for c in start)
    return len(start) >= _LEAST_BINARY and odd * 10 > len(start)
