"""The fenced blocks of the pages that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    str(page.relative_to(ROOT))
    for pattern in ("README.md", "docs/*.md", "examples/README.md", "clients/*/README.md")
    for page in ROOT.glob(pattern)
)
FENCE = re.compile(r"^( *)(```+)(.*)$")


@dataclass(frozen=True)
class Block:
    """One block: `language` is the word behind its fence, `line` where it begins."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Where it is, as editors open it."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command of a `console` block, and the lines that it is said to print."""

    block: Block
    text: str
    shown: tuple[str, ...]

    @property
    def is_left_running(self) -> bool:
        """Whether the page says so, in a comment behind it."""
        return self.text.rstrip().endswith("# leave it running")


def read(page: str) -> str:
    """Returns a page's text."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """Returns the blocks of a page, in order."""
    found: list[Block] = []
    lines = read(page).splitlines()
    opened: tuple[str, str, str, int] | None = None
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if opened is None and fence is not None:
            opened = (fence[1], fence[2], fence[3].strip(), number)
        elif opened is not None and fence is not None and fence[2] == opened[1] and not fence[3]:
            indent, _, language, begins = opened
            inner = [one.removeprefix(indent) for one in lines[begins : number - 1]]
            found.append(Block(page, begins, language, "\n".join(inner) + "\n"))
            opened = None
    assert opened is None, f"{page}:{opened and opened[3]}: this block has no end"
    return found


def prose(page: str) -> str:
    """Returns a page without its blocks and tables of fields."""
    text, skipping = [], False
    for line in read(page).splitlines():
        if FENCE.match(line):
            skipping = not skipping
        elif not skipping:
            text.append(line)
    return "\n".join(text)


def commands(block: Block) -> list[Command]:
    """Returns the commands of a `console` block; `> ` goes on with one."""
    found: list[Command] = []
    for line in block.text.splitlines():
        last = found[-1] if found else None
        if line.startswith("$ "):
            found.append(Command(block, line[2:], ()))
        elif last is None:
            raise AssertionError(f"{block}: the first line of a console block begins with `$ `")
        elif line.startswith("> ") and not last.shown:
            found[-1] = Command(block, f"{last.text}\n{line[2:]}", ())
        else:
            found[-1] = Command(block, last.text, (*last.shown, line))
    return found


def is_as_shown(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a command printed what the page shows; `…` stands for anything, alone for lines.

    Blanks and empty lines do not count, nor what comes before and behind the lines that are shown.
    """
    pattern = ""
    for line in filter(str.strip, shown):
        words = re.split(r"\s+", line.strip())
        if words == ["…"]:
            pattern += r"(?:.*\n)*?"
            continue
        one = r"\s+".join(re.escape(word).replace("…", ".*?") for word in words if word)
        pattern += rf"[^\S\n]*{one}[^\S\n]*\n"
    there = "".join(f"{line}\n" for line in printed.splitlines() if line.strip())
    return re.search(f"^{pattern}", there, re.MULTILINE) is not None
