"""What the README says is so: its settings, commands and files; it stays short."""

import json
import re
from pathlib import Path

from refresher.rules.registration import read
from refresher.settings import Flow, Settings, variable
from refresher.settings.names import flows
from tests.docs.blocks import PAGES
from tests.docs.blocks import read as text

ROOT = Path(__file__).parent.parent
NOT_SETTINGS = {
    *("REFRESHER_API_URL", "REFRESHER_API_KEY"),  # the SDK's
    "REFRESHER_TEST_DATABASE_URL",  # the testing kit's
    "REFRESHER_WEB_PORT",  # what Kubernetes would make of a Service
}
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_setting_that_a_page_names_exists() -> None:
    """A name is a variable that is read, or the beginning of several."""
    parts = [f"{f}.{n}" for f in flows(Settings.model_fields) for n in Flow.model_fields]
    known = {variable(name) for name in [*parts, *Settings.model_fields]} | NOT_SETTINGS
    named = {(page, n) for page in PAGES for n in re.findall(r"REFRESHER_[A-Z_]*[A-Z]", text(page))}
    beginnings = {name[:end] for name in known for end in range(len(name)) if name[end] == "_"}
    assert {(page, name) for page, name in named if name not in known | beginnings} == set()


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
