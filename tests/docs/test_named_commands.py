"""Each command that a page names, in a sentence or in a block that cannot run, is one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests import public_face
from tests.docs.blocks import PAGES, ROOT, blocks, prose

EVERYWHERE = {"--help", "-h", "--version", "--install-completion", "--show-completion"}


@cache
def known() -> dict[str, Any]:
    """Returns every command of the program."""
    return public_face.commands()


def named(page: str) -> Iterator[str]:
    """Returns the command lines of a page: in its sentences, and in blocks for a shell."""
    yield from re.findall(r"`(refresher [a-z][^`\n]*)`", prose(page))
    for block in blocks(page):
        if block.language in {"console", "sh"}:
            prompt = r"\$ " if block.language == "console" else ""
            yield from re.findall(rf"^{prompt}(refresher [a-z].*)$", block.text, re.MULTILINE)


def mistake(line: str) -> str | None:
    """Returns what is wrong with a command line: a name, or an option, that there is not."""
    words = re.split(r"\s(?:#|\||&&|>)\s", line)[0].split()
    name = words.pop(0)
    while words and f"{name} {words[0]}" in known():
        name = f"{name} {words.pop(0)}"
    is_group = name != "refresher connect" and any(o.startswith(f"{name} ") for o in known())
    if is_group and words and re.fullmatch(r"[a-z-]+", words[0]):
        return f"{line}: no {words[0]}"
    options = {o for names in known()[name]["parameters"] for o in names.split()} | EVERYWHERE
    wrong = [w for w in words if w.startswith("--") and w.partition("=")[0] not in options]
    return f"{line}: no {wrong[0]}" if wrong else None


def test_each_command_that_is_named_is_one() -> None:
    """With its options, in every page, those of the providers too."""
    providers = [str(p.relative_to(ROOT)) for p in Path(ROOT, "docs/providers").glob("*.md")]
    found = [
        f"{page}: {wrong}"
        for page in [*PAGES, *providers]
        for line in named(page)
        if (wrong := mistake(line)) is not None
    ]
    assert found == []


def test_a_command_that_is_none_is_found() -> None:
    """A wrong name, and a wrong option."""
    assert mistake("refresher connections lst") == "refresher connections lst: no lst"
    assert mistake("refresher doctor --all") == "refresher doctor --all: no --all"
    assert mistake("refresher connections list --failing  # all of them") is None
