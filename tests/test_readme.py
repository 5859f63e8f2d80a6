"""What the README says is so: its settings, commands and files; it stays short."""

import json
import re
from pathlib import Path

from refresher.rules.registration import read
from refresher.settings import Flow, Settings, variable
from refresher.settings.names import flows

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_in_the_readme_exists() -> None:
    """A name in the table is a variable that is read; `…_NAME` stands for `REFRESHER_NAME`."""
    parts = [f"{f}.{n}" for f in flows(Settings.model_fields) for n in Flow.model_fields]
    flow = {variable(name) for name in parts}
    known = {variable(name) for name in Settings.model_fields} | flow
    named = {n.rstrip("_") for n in re.findall(r"REFRESHER_[A-Z_]+", README)} - {"REFRESHER"}
    named |= {f"REFRESHER_{n}" for n in re.findall(r"`…_([A-Z_]+)`", README)}
    assert named - known == set()


def test_every_make_target_in_the_readme_exists() -> None:
    """`make demo` and `make test` are there, and so is every other that is named."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"demo", "test"} <= named <= targets


def test_the_import_line_is_one() -> None:
    """The example of the import format is taken as it stands, but for the ellipses."""
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    line = re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0].replace("…", "x")
    assert read(json.loads(line)).provider == "google"


def test_the_readme_is_short() -> None:
    """The first page is read at once; what is longer is a page of docs/."""
    assert len(README.splitlines()) <= 250


def test_the_reading_order_is_short() -> None:
    """Six files, a thousand lines at most, hold the whole idea."""
    section = README.partition("## Reading the code")[2]
    files = re.findall(r"\]\((refresher/[a-z_/]+\.py)\)", section)
    assert len(files) == 6
    assert sum(len((ROOT / file).read_text().splitlines()) for file in files) <= 1_000


def test_every_file_of_the_architecture_exists() -> None:
    """docs/architecture.md names files that are there, in a page and a half."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(refresher/[\w/]+\.\w+)`", text))
    assert len(named) > 30
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert len(text.splitlines()) <= 150


def test_every_room_is_in_the_architecture() -> None:
    """docs/architecture.md has a row for each folder of the package."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (ROOT / "refresher").glob("*/__init__.py")]
    assert [room for room in rooms if f"`{room}/`" not in text] == []
