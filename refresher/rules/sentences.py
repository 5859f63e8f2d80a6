"""What pydantic finds wrong, as words for people: one translator for settings, files and requests.

A fault is one of `ValidationError.errors()`. Who has words of its own for a kind of fault brings them
in a table; otherwise pydantic's own are taken, which never repeat what was given. Pure, and imports
no pydantic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from refresher.errors import did_you_mean

FaultWords = Mapping[str, str]
"""By kind of fault, what follows the field's name; braces stand for what pydantic knows besides."""


def said(fault: Mapping[str, object], words: FaultWords) -> str:
    """Returns what is wrong, to be put behind the field's name."""
    known = words.get(str(fault["type"]))
    if known is not None:
        context = fault.get("ctx", {})
        return known.format(**context if isinstance(context, dict) else {})
    message = str(fault["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def place(location: object) -> tuple[int | str, ...]:
    """Returns where a fault is: names of fields, and places in lists from 0."""
    assert isinstance(location, tuple)
    return location


def no_field(name: str, known: Iterable[str]) -> str:
    """Returns the sentence about a field that there is not, with what was meant, perhaps."""
    return f'there is no field "{name}"{did_you_mean(name, known)}'
