"""What templates and static files may hold: nothing of another site, no script or style inside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import StrictUndefined

from refresher.web import dashboard
from refresher.web.dashboard.rendering import Rendering

FOLDER = Path(dashboard.__file__).parent
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))
FORBIDDEN = {
    "a style of its own": r"\sstyle\s*=|<style",
    "a handler of its own": r"\son[a-z]+\s*=",
    "a script of its own": r"<script(?![^>]*\ssrc=)",
    "another site": r"(?:https?:)?//[a-z]",
    "a frame": r"<(?:iframe|frame|object|embed|base)\b",
    "an address that runs": r"javascript:",
    "text that is not escaped": r"\|\s*safe\b",
}
SHAPES = "_shapes[_tones.get(name, name)]|safe"
"""Our own pictures, which are in the same file."""
MAY_NAME_A_SITE = re.compile(
    r'placeholder="https?://[^"]*"|<code>https?://[^<]*</code>|//github\.com'
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_is_plain(path: Path) -> None:
    """No inline style or script, no handler, nothing of another site, nothing unescaped."""
    text = re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.DOTALL)
    text = MAY_NAME_A_SITE.sub("", text.replace(SHAPES, ""))
    plain = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "…", text, flags=re.DOTALL)
    text = plain + "".join(re.findall(r"\|\s*\w+", text))
    found = [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text, re.IGNORECASE)]
    assert found == []


def test_every_template_compiles_and_is_strict() -> None:
    """A name that is not there is a mistake, not an empty text."""
    templates = Rendering().templates
    assert templates.undefined is StrictUndefined
    assert templates.autoescape is True
    for path in TEMPLATES:
        templates.get_template(path.name)


def test_style_and_script_are_ours() -> None:
    """One style sheet that fetches nothing, one script of at most 150 lines that runs no text."""
    style = (FOLDER / "static" / "style.css").read_text()
    assert not re.search(r"@import|url\(", style)
    script = (FOLDER / "static" / "live.js").read_text()
    assert len(script.splitlines()) <= 150
    assert not re.search(r"\beval\b|new Function|innerHTML\s*=|document\.write|https?://", script)
    assert {one.suffix for one in (FOLDER / "static").iterdir()} == {".css", ".js", ".svg"}
