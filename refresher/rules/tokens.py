"""What is no token although it is a text: a blank, or a programming language's word for nothing."""

from __future__ import annotations

NOTHING = frozenset(
    {
        *("null", "undefined", "none", "nil", "false", "nan", "n/a", "(null)", "<null>", "<nil>"),
        *("[object object]", '""', "''", "{}", "[]"),
    }
)
"""How "there is none" is spelled by who made a text of it, in small letters."""


def is_no_token(text: str) -> bool:
    """Returns whether `text` says that there is no token: it must never replace a stored one."""
    bare = text.strip()
    return len(bare) <= 16 and (not bare or bare.casefold() in NOTHING)
