"""What a `WWW-Authenticate` header says of bearer tokens: RFC 6750 section 3, RFC 9728 section 5.1."""

from __future__ import annotations

import re
from collections.abc import Mapping

INSUFFICIENT = "insufficient_scope"
MOST_CHARACTERS = 8_192
_PIECE = re.compile(
    r'([A-Za-z0-9_*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))'  # a parameter
    r'|"(?:[^"\\]|\\.)*"?'  # a text of nobody
    r'|([^\s,="]+)'  # a scheme
)


def bearer(header: str) -> Mapping[str, str]:
    """Returns the parameters of the first `Bearer` challenge, names in lower case; empty without one.

    What is quoted is never read for a scheme or a parameter, however it looks.
    """
    found: dict[str, str] = {}
    is_bearer = False
    for piece in _PIECE.finditer(header[:MOST_CHARACTERS]):
        name, quoted, plain, scheme = piece.groups()
        if scheme and found:
            break
        if scheme:
            is_bearer = scheme.lower() == "bearer"
        elif name and is_bearer:
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found.setdefault(name.lower(), value)
    return found


def wanted_scopes(status: int, header: str) -> tuple[str, ...] | None:
    """Returns the scopes that a refusal asks for; None where it is no `insufficient_scope`.

    Some servers name none: then nothing is known but that this token is not enough.
    """
    said = bearer(header)
    if status != 403 or said.get("error") != INSUFFICIENT:
        return None
    return tuple(dict.fromkeys(said.get("scope", "").split()))
