"""The user's file as text and as tables: read whole, or as far as it makes sense.

Who is `strict` refuses a file that is no TOML. Otherwise each table stands for itself, also where the
text between two headings is none.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from refresher.catalogue.entries import DEFAULT_APP, Broken, Unusable
from refresher.catalogue.secrets import SecretMissing, TomlTable, Wrong
from refresher.errors import CatalogueError, did_you_mean

T = TypeVar("T")
SECTIONS = ("providers", "apps", "signals")
_HEADING = re.compile(
    rf"""^[ \t]*\[[ \t]*({"|".join(SECTIONS)})[ \t]*\.[ \t]*("[^"\n]*"|'[^'\n]*'|[\w-]+)""",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class UserFile:
    """The tables of a file while they are read, and what of them cannot be used."""

    path: Path
    content: dict[str, TomlTable]
    missing: list[Unusable] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def each(self, section: str, read: Callable[[str, TomlTable], T]) -> dict[str, T]:
        """Returns what `read` makes of each table of a section that is right."""
        found: dict[str, T] = {}
        for key, table in self.content.get(section, {}).items():
            called = heading(section, key)
            try:
                found[key] = read(key, _table(called, key, table))
            except SecretMissing as error:
                app = _app(key) if section == "apps" else None
                self.missing.append(Unusable(called, str(error), error.file, app))
            except Wrong as error:
                self.refuse(section, key, *error.args)
        return found

    def refuse(self, section: str, key: str, *sentences: str) -> None:
        """Notes that a table is wrong."""
        called = heading(section, key)
        why = "\n".join(f"{self.path}, [{called}]: {said}" for said in sentences)
        self.broken.append(Broken(called, why, key if section == "providers" else None))

    def named(self, section: str) -> set[str]:
        """Returns the keys of a section, of tables that are wrong, too."""
        wrong = {one.provider for one in self.broken if one.provider and section == "providers"}
        return {*self.content.get(section, {}), *wrong}


def _table(called: str, key: str, given: object) -> TomlTable:
    if not isinstance(given, dict):
        raise Wrong(f"{key} must be a table of its own, [{called}]")
    return given


def heading(section: str, key: str) -> str:
    """Returns how a table begins, without the brackets."""
    return f'{section}."{key}"' if "/" in key else f"{section}.{key}"


def read(path: Path, *, strict: bool) -> UserFile:
    """Returns the file's tables; raises `CatalogueError` for one that cannot be had."""
    text = _text(path)
    file = UserFile(path, {})
    try:
        content: TomlTable = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if strict:
            raise CatalogueError(f"providers file {path} is not valid TOML: {error}") from None
        content = _salvaged(file, text)
    for name, tables in content.items():
        wrong = _section_fault(name, tables)
        if wrong:
            file.broken.append(Broken(name, f"{path}: {wrong}"))
        elif isinstance(tables, dict):
            file.content[name] = tables
    return file


def _section_fault(name: str, tables: object) -> str | None:
    if name not in SECTIONS:
        hint = did_you_mean(name, SECTIONS)
        return f"no section is called [{name}]{hint}: use {', '.join(SECTIONS)}"
    if not isinstance(tables, dict):
        return f"{name} must be tables, such as [{name}.acme]"
    return None


def _salvaged(file: UserFile, text: str) -> TomlTable:
    """Returns the tables of a text that is no TOML as a whole; those that are none are refused."""
    found: dict[str, dict[str, object]] = {}
    for section, key, part in _parts(text):
        try:
            content = tomllib.loads(part)
        except tomllib.TOMLDecodeError as error:
            file.refuse(section, key, f"is not valid TOML: {error}")
            continue
        if key in found.get(section, {}):
            file.refuse(section, key, "is given twice, or its parts do not follow each other")
            del content[section]
        for name, tables in content.items():
            found.setdefault(name, {}).update(tables if isinstance(tables, dict) else {})
    return found


def _parts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yields section, key and text of each table with its sub-tables, on the lines where it stood."""
    headings = [(h.start(), h[1], h[2].strip("\"'")) for h in _HEADING.finditer(text)]
    headings = [(0, "the beginning", "of the file"), *headings]
    starts = [h for i, h in enumerate(headings) if i == 0 or headings[i - 1][1:] != h[1:]]
    ends = [*(start for start, *_ in starts[1:]), len(text)]
    for (start, section, key), end in zip(starts, ends, strict=True):
        yield section, key, "\n" * text.count("\n", 0, start) + text[start:end]


def _app(key: str) -> tuple[str, str]:
    provider, _, name = key.partition("/")
    return provider, name or DEFAULT_APP


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise CatalogueError(f"providers file {path} does not exist") from None
    except IsADirectoryError:
        raise CatalogueError(f"providers file {path} is a directory, not a TOML file") from None
    except OSError as error:
        raise CatalogueError(f"providers file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(
            f"providers file {path} is not UTF-8 text (byte {error.start})"
        ) from None
