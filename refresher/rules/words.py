"""Words for people: lengths of time, numbers, and what pydantic finds wrong. Pure, imports no pydantic.

One translator for settings, files and requests: a fault is one of `ValidationError.errors()`. Who has
words of its own for a kind of fault brings them in a table; otherwise pydantic's own are taken, which
never repeat what was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from refresher.errors import did_you_mean

MOST_COUNTED = 10_001
"""Where counting rows ends for people: what is more is told as "10,000+"."""


def span(seconds: float) -> str:
    """Returns a length of time as people say it: 5 ms, 45 s, 12 min, 3.5 h, 60 days."""
    if seconds < 0.9995:
        return f"{seconds * 1_000:.0f} ms" if seconds >= 0.0005 else "<1 ms"
    for size, unit in ((86_400 * 2, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{_rounded(seconds / (size / 2))} {unit}"
    return f"{_rounded(seconds)} s"


def many(count: int, word: str, words: str | None = None) -> str:
    """Returns a count with its word: `1 remark`, `2 remarks`, `3 addresses`."""
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def counted(count: int, word: str | None = None) -> str:
    """Returns a count that ends at `MOST_COUNTED`: `38`, `10,000+`; with its word `38 messages`."""
    if word is not None and count < MOST_COUNTED:
        return many(count, word)
    shown = f"{count:,}" if count < MOST_COUNTED else f"{MOST_COUNTED - 1:,}+"
    return shown if word is None else f"{shown} {word}s"


def amount(count: int, word: str | None = None, words: str | None = None) -> str:
    """Returns the same in a sentence: `38`, `more than 10,000`; with its word `1 token waits`."""
    if word is not None and count < MOST_COUNTED:
        return many(count, word, words)
    shown = f"{count:,}" if count < MOST_COUNTED else f"more than {MOST_COUNTED - 1:,}"
    return shown if word is None else f"{shown} {words or word + 's'}"


def capital(text: str) -> str:
    """Returns a text that begins with a capital letter, as a sentence does."""
    return f"{text[:1].upper()}{text[1:]}"


def sentence(text: str) -> str:
    """Returns a text as a sentence: with a capital letter, and with an end."""
    whole = capital(text)
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def number(value: float) -> str:
    """Returns a number as people write it: 15552000, 0.2, never 15552000.0 or 1.5552e+07."""
    text = f"{value:.15g}"
    return f"{value:.0f}" if "e+" in text else text


def distance(at: datetime | None, now: datetime) -> str:
    """Returns how far off something is: `in 3 min`, `now`, `2 days ago`; nothing for None."""
    if at is None:
        return ""
    left = (at - now).total_seconds()
    if abs(left) < 1:
        return "now"
    return f"in {span(left)}" if left >= 0 else f"{span(-left)} ago"


def _rounded(value: float) -> str:
    return f"{value:.2g}" if value < 9.95 else f"{value:.0f}"


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
