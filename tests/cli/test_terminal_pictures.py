"""The pictures of docs/terminal.md are what commands print today."""

import pytest

from tests import terminal_pictures
from tests.terminal_pictures import FOLDER, WIDTHS

MEND = "`python -m tests.terminal_pictures` makes the pictures anew: look at them"


@pytest.mark.slow
def test_pictures_are_as_commands_print() -> None:
    """Made again they are the same, byte by byte, of every width, and fetch nothing from anywhere."""
    made = dict(terminal_pictures.take())
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.svg")}
    assert sorted(made) == sorted(there)
    assert [name for name in made if made[name] != there[name]] == [], MEND
    assert {int(name.rsplit("-", 1)[1].removesuffix(".svg")) for name in made} == set(WIDTHS)
    assert not any("url(http" in svg for svg in made.values())
