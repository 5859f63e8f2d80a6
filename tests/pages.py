"""The reference of settings and of the providers file, made of what the code declares.

`make pages` writes it, and the pages of the built-in providers (`provider_pages.py`).

In a page a comment such as `<!-- Settings: attempts to slow_lane_max_seconds -->` says which fields the
table below it has: from one to another, or each by name. What stands around the tables is people's.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from enum import Enum
from pathlib import Path
from typing import Any

from refresher.catalogue.tables import AppTable, ProviderTable, SignalTable
from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.field_types import model_of
from refresher.rules.providers import Provider
from refresher.rules.signals import SignalSource
from refresher.rules.words import number
from refresher.settings import Flow, Settings, variable
from refresher.settings.names import flows
from tests import provider_pages

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("docs/running.md", "docs/settings.md", "docs/providers.md")
MARK = re.compile(r"<!-- (\w+): ([\w, ]+) -->\n(?:\|.*\n)*")
MOST_LISTED = 3
Schema = Mapping[str, Any]


def meanings(declared: type) -> dict[str, str]:
    """Returns the line below each field of a class and of those it extends, where there is one."""
    extended = [base for base in declared.__bases__ if base.__module__.startswith("refresher.")]
    told = {name: line for base in extended for name, line in meanings(base).items()}
    body = ast.parse(textwrap.dedent(inspect.getsource(declared))).body[0]
    assert isinstance(body, ast.ClassDef)
    return told | {
        field.target.id: below.value.value
        for field, below in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def settings() -> dict[str, list[str]]:
    """The rows of the settings, by field: variable, what it may be, default, meaning."""
    schema, told, of_a_flow = Settings.model_json_schema(), meanings(Settings), meanings(Flow)
    rows = {}
    for name, field in Settings.model_fields.items():
        if name in flows(Settings.model_fields):
            for part, kind in Flow.model_fields.items():
                shape = Flow.model_json_schema()["properties"][part]
                default = getattr(field.default, part, kind.default)
                shown = (_may_be(part, shape, schema), _default(default), of_a_flow[part])
                rows[f"{name}__{part}"] = [f"`{variable(f'{name}.{part}')}`", *shown]
            continue
        shape = next(p for p in (schema["properties"].get(n) for n in _names(name)) if p)
        shown = (_may_be(name, shape, schema), _default(field.default), told[name])
        rows[name] = [f"`{variable(name)}`", *shown]
    return rows


def _names(field: str) -> Iterator[str]:
    yield field
    yield f"REFRESHER_{field.upper()}"


def values(declared: type, model: Any) -> dict[str, list[str]]:
    """The rows of a table of the providers file, by field: name, what it may be, default, meaning."""
    schema, told = model.model_json_schema(), meanings(declared)
    defaults = {f.name: _of(f) for f in fields(declared)} if declared is not model else {}
    return {
        name: [f"`{name}`", _may_be(name, shape, schema), _default(defaults.get(name)), told[name]]
        for name, shape in schema["properties"].items()
        if name in told
    }


def _of(field: Any) -> object:
    made = field.default if field.default_factory is MISSING else field.default_factory()
    return None if made is MISSING else made


HEADS = {"Settings": ["variable", "may be", "default", "meaning"]}
"""The columns of the tables; the others name a field first."""


def rows_of(kind: str) -> dict[str, list[str]]:
    """Returns all rows that a table of this kind may have."""
    match kind:
        case "Settings":
            return settings()
        case "Provider":
            return values(Provider, ProviderTable)
        case "Consent" | "Identity" | "SecondStep":
            kind_of = {k.__name__: k for k in (Consent, Identity, SecondStep)}[kind]
            return values(kind_of, model_of(kind_of))
        case "App":
            return values(AppTable, AppTable)
        case _:
            own = values(SignalSource, SignalTable)
            return own | {n: [f"`{n}`", *r[1:]] for n, r in _secrets().items()}


def _secrets() -> dict[str, list[str]]:
    apps = values(AppTable, AppTable)
    return {n.removeprefix("client_"): r for n, r in apps.items() if n.startswith("client_secret")}


def _may_be(name: str, shape: Schema, whole: Schema) -> str:
    """Returns what a field may be, in a few words."""
    inner = next((s for s in shape.get("anyOf", ()) if s != {"type": "null"}), shape)
    inner = whole["$defs"][inner["$ref"].rsplit("/", 1)[1]] if "$ref" in inner else inner
    if "enum" in inner:
        return ", ".join(f"`{word}`" for word in inner["enum"])
    kind = inner["type"]
    if kind in {"integer", "number"}:
        word = "whole number" if kind == "integer" else "number"
        return ("seconds" if name.endswith("_seconds") else word) + _range(inner)
    if kind == "string":
        formats = {"path": "path", "password": "secret", "date": "date"}
        return "URL" if name.endswith("_url") else formats.get(inner.get("format", ""), "text")
    return {"boolean": "`true`, `false`", "array": "list", "object": "table"}[kind]


def _range(shape: Schema) -> str:
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None:
        return f", {low:,.10g} to {high:,.10g}"
    if "exclusiveMaximum" in shape:
        return f", 0 to less than {shape['exclusiveMaximum']:g}"
    return f", {low:,.10g} or more" if low else ""


def _default(value: object) -> str:
    """Returns a default as it would be written; nothing for none, and for one that is empty."""
    if isinstance(value, Mapping | frozenset) or value in {None, "", ()}:
        return ""
    if isinstance(value, tuple):
        more = ", …" if len(value) > MOST_LISTED else ""
        return f"`{json.dumps(value[:MOST_LISTED])[:-1]}{more}]`"
    if isinstance(value, bool):
        return f"`{json.dumps(value)}`"
    plain = value.value if isinstance(value, Enum) else value
    return f"`{number(plain) if isinstance(plain, int | float) else plain}`"


def chosen(text: str, known: list[str]) -> list[str]:
    """Returns the fields that a comment names, each or from the first to the last."""
    if text == "all":
        return known
    spans = [part.strip().partition(" to ") for part in text.split(",")]
    return [n for a, _, z in spans for n in known[known.index(a) : known.index(z or a) + 1]]


def written(text: str) -> str:
    """Returns a page with its tables made anew."""
    return MARK.sub(lambda found: _table(found[1], found[2]), text)


def _table(kind: str, names: str) -> str:
    rows = rows_of(kind)
    lines = [HEADS.get(kind, ["field", *HEADS["Settings"][1:]])]
    lines += [["---"] * len(lines[0])]
    lines += [rows[name] for name in chosen(names, list(rows))]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    table = re.sub(r"\|  (?=\|)", "| ", table)
    return f"<!-- {kind}: {names} -->\n{table}\n"


def named(text: str, kind: str) -> list[str]:
    """Returns the fields that the tables of a page tell of."""
    known = list(rows_of(kind))
    return [n for k, names in MARK.findall(text) if k == kind for n in chosen(names, known)]


def main() -> None:
    """Writes every page."""
    for name in PAGES:
        page = ROOT / name
        page.write_text(made(name), encoding="utf-8")
    provider_pages.write()


def made(name: str) -> str:
    """Returns a page as it should be."""
    return written((ROOT / name).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
