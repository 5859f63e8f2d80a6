"""The words of docs/words.md, and where a page for beginners uses them."""

from __future__ import annotations

import re

from tests.docs.blocks import prose, read

TUTORIAL = ("README.md", "docs/first-day.md")
EVERYDAY = {
    "account",
    "due",
    "attempt",
    "app",
    "pause",
    "flow",
    "pair",
    "health",
    "lead",
    "claim",
    "worker",
}
"""Words that everybody reads rightly before they know what exactly they mean here."""
TOLD = re.compile(r"\[[^]]*\]\([^)]*\)|(?<!\*)\*(?![*\s])[^*\n]+\*(?!\*)")


def words() -> list[str]:
    """Returns each word that the page explains."""
    headings = re.findall(r"^### (.+)$", read("docs/words.md"), re.MULTILINE)
    return [word.strip().lower() for heading in headings for word in heading.split(",")]


def unexplained(page: str) -> list[str]:
    """Returns the words that a page uses for the first time without a link or an explanation."""
    text = re.sub(r"^#.*$|^\|.*\|$|`[^`]*`", "", prose(page), flags=re.MULTILINE)
    text = re.sub(
        r"^\*\*[^*]*\*\*$", "", text, count=1, flags=re.MULTILINE
    )  # the promise: a headline
    found = []
    for word in sorted({*words()} - EVERYDAY):
        spaced = re.escape(word).replace(r"\ ", r"\s+")
        first = re.search(rf"(?<![\w-]){spaced}s?(?![\w-])", text, re.IGNORECASE)
        if first is not None and not _is_told(text, first.start(), first.end()):
            found.append(word)
    return found


def _is_told(text: str, start: int, end: int) -> bool:
    """Whether a link, or italics, stand around a word."""
    spans = [m.span() for m in TOLD.finditer(text)]
    return any(a <= start and end <= z for a, z in spans)
