"""The reference pages say what the code declares, field by field."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from refresher.rules.registration import read
from refresher.rules.requests import resolve_url
from tests import provider_pages
from tests.browser import pictures
from tests.browser.dashboard import pictures as dashboard
from tests.pages import PAGES, ROOT, chosen, made, named, rows_of, written


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_as_the_code_has_it(page: str) -> None:
    """Each table is made of the declarations; `make pages` writes it anew."""
    assert (ROOT / page).read_text(encoding="utf-8") == made(page)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("docs/settings.md", "Settings"),
        ("docs/providers.md", "Provider"),
        ("docs/providers.md", "App"),
        ("docs/providers.md", "Signals"),
    ],
)
def test_every_field_stands_in_one_table(page: str, kind: str) -> None:
    """A field that is new, or told twice, fails here."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert sorted(named(text, kind)) == sorted(rows_of(kind))


def test_each_built_in_provider_has_a_page_and_no_other_is_there() -> None:
    """`make pages` writes them: what the catalogue says is what they say."""
    made = provider_pages.pages()
    assert {*provider_pages.FOLDER.iterdir()} == set(made)
    differ = [file.name for file, text in made.items() if file.read_text(encoding="utf-8") != text]
    assert differ == []


def test_a_page_says_how_to_connect_its_provider() -> None:
    """The line to hand over has all that a connection of this provider needs."""
    for provider in provider_pages.providers():
        (line,) = re.findall(r"```json\n(.*)\n```", provider_pages.page(provider))
        given = {**json.loads(line), "organization_id": "org-1"}
        read(given)
        build = partial(resolve_url, provider, given.get("host"))
        assert build(placeholders=given.get("placeholders")).startswith("https://"), provider.name


@pytest.mark.parametrize(
    ("folder", "index"),
    [
        (pictures.FOLDER, pictures.index),
        (pictures.PICTURES / "dashboard", dashboard.index),
    ],
)
def test_every_picture_of_a_page_is_shown(folder: Path, index: Callable[[], str]) -> None:
    """`python -m tests.browser.pictures` takes them, and writes the page that shows them."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == index()
    shown = set(re.findall(r"\(([\w-]+\.png)\)", text))
    assert shown == {file.name for file in folder.glob("*.png")}


def test_a_table_is_made_anew() -> None:
    """What stands below a comment is replaced, however it was."""
    old = "a\n<!-- Settings: attempts -->\n| old |\n\nb\n"
    row = "| `REFRESHER_ATTEMPTS` | whole number, 1 to 100 | `3` |"
    assert row in written(old)
    assert "old" not in written(old)
    assert written(written(old)) == written(old)


def test_fields_are_chosen_one_by_one_or_by_ends() -> None:
    """`a to c, e` is four of five."""
    assert chosen("a to c, e", list("abcde")) == ["a", "b", "c", "e"]
    assert chosen("all", ["a", "b"]) == ["a", "b"]
