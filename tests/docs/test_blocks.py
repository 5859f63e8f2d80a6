"""What a block must be so that somebody runs it, and where pages lead."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from refresher.catalogue.tables import AppTable, SignalTable
from tests.docs import words
from tests.docs.blocks import PAGES, ROOT, Block, blocks, commands, is_as_shown, read
from tests.docs.site import LINK, PICTURE


def _console(block: Block) -> None:
    """It runs in test_console.py."""
    assert commands(block)


def _python(block: Block) -> None:
    """It runs in test_python.py, test_console.py or tests/testing; here it is only read."""
    compile(block.text, str(block), "exec")


def _json(block: Block) -> None:
    """Those of api.md and notifications.md are compared by tests/web and tests/notify."""
    whole = block.text.replace("…", "x")
    try:
        json.loads(whole)
    except ValueError:
        for line in whole.splitlines():
            json.loads(line)


def _http(block: Block) -> None:
    """Those of api.md are sent by tests/web."""
    assert re.match(r"(GET|PUT|POST|PATCH|DELETE) /\S+( HTTP/1\.1)?$", block.text.splitlines()[0])


def _toml(block: Block) -> None:
    """The tables of a providers file; the reader of the catalogue knows each of their fields."""
    tables = tomllib.loads(block.text)
    assert {*tables} <= {"providers", "apps", "signals"}, tables
    for app in tables.get("apps", {}).values():
        AppTable.model_validate(app)
    for source in tables.get("signals", {}).values():
        SignalTable.model_validate(source)


def _yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


def _sh(block: Block) -> None:
    """It cannot run everywhere (a container engine, a platform): its form at least is right."""
    checked = subprocess.run(
        ["bash", "-n"], input=block.text, text=True, capture_output=True, check=False
    )
    assert checked.returncode == 0, f"{block}: {checked.stderr}"


def _plain(block: Block) -> None:
    """A picture of characters, or another program's file: no command hides in it."""
    assert not re.search(r"^\$ |^(refresher|pip|python) ", block.text, re.MULTILINE), block


def _theirs(block: Block) -> None:
    """SQL runs in test_sql.py; TypeScript in tests/typescript, which names the pages that it reads."""
    assert block.language == "sql" or block.page in WITH_TYPESCRIPT, block


WITH_TYPESCRIPT = {"docs/typescript.md", "clients/typescript/README.md"}
READERS: dict[str, Callable[[Block], None]] = {
    "console": _console,
    "http": _http,
    "json": _json,
    "python": _python,
    "sh": _sh,
    "sql": _theirs,
    "text": _plain,
    "toml": _toml,
    "typescript": _theirs,
    "yaml": _yaml,
    "": _plain,
}


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_one_that_somebody_runs(page: str) -> None:
    """A block in a language that nobody runs fails, and so does one that is not well formed."""
    for block in blocks(page):
        assert block.language in READERS, f"{block}: nobody runs {block.language!r}"
        READERS[block.language](block)


@pytest.mark.parametrize("page", ["README.md", "examples/README.md", *PAGES])
def test_each_file_that_a_page_names_is_there(page: str) -> None:
    """Links and pictures lead to files; the site checks anchors, too."""
    folder = (ROOT / page).parent
    text = re.sub(r"^```.*?^```$", "", read(page), flags=re.DOTALL | re.MULTILINE)
    named = [found[1] for found in LINK.finditer(text)] + PICTURE.findall(text)
    assert [name for name in named if not (folder / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_elsewhere_is_one(page: str) -> None:
    """CI reaches no other hosts: only the form of their addresses is looked at."""
    for url in re.findall(r"\]\((https?:[^)]*)\)|<(https?:[^>]*)>", read(page)):
        assert re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[^\s<>]*)?", url[0] or url[1]), url


@pytest.mark.parametrize("page", words.TUTORIAL)
def test_no_word_comes_before_it_is_explained(page: str) -> None:
    """Each word of docs/words.md is a link, or explained in italics, where it is first read."""
    assert words.unexplained(page) == []


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        (("a  b",), "a b\n", True),
        (("a …",), "before\n\n  a   42 s\nafter\n", True),
        (("a", "…", "c"), "a\nb\nb\nc\n", True),
        (("a", "c"), "a\nb\nc\n", False),
        (("a",), "ab\n", False),
        ((), "", True),
    ],
)
def test_what_is_printed_is_held_against_the_page(
    shown: tuple[str, ...], printed: str, expected: bool
) -> None:
    """Dots stand for anything, alone for lines; the lines between must follow each other."""
    assert is_as_shown(shown, printed) is expected


def test_every_page_is_read() -> None:
    """The list of pages is found, not written: a new one is in it."""
    assert {"README.md", "docs/sdk.md", "examples/README.md"} <= {*PAGES}
    assert {f"docs/{page.name}" for page in Path(ROOT, "docs").glob("*.md")} <= {*PAGES}
