"""What the wheel and the sdist hold and tell: everything that runs, and nothing else."""

from __future__ import annotations

import re
import sys
import tarfile
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

from refresher import __version__
from tests.package.kit import LIMIT_SECONDS, ROOT, bare, build, needs_tools, run, wheel_in
from tests.test_layout import own_files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(LIMIT_SECONDS), needs_tools]
MADE = f"refresher-{__version__}"


def files_of(*folders: str) -> set[str]:
    """Returns the names of the repository's own files below these folders."""
    names = {path.relative_to(ROOT).as_posix() for path in own_files()}
    return {name for name in names if name.startswith(tuple(f"{one}/" for one in folders))}


def metadata(dist: Path) -> Message:
    """Returns what the wheel tells of itself, its description as the payload."""
    with ZipFile(wheel_in(dist)) as wheel:
        return Parser().parsestr(wheel.read(f"{MADE}.dist-info/METADATA").decode())


def test_the_wheel_is_the_package_and_its_migrations(dist: Path) -> None:
    """Code, types, templates, pages, catalogue and migrations: no file is missing, none is more."""
    with ZipFile(wheel_in(dist)) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        about = wheel.read(f"{MADE}.dist-info/WHEEL").decode()
        notes = {name for name in wheel.namelist() if name not in held}
    moved = {f"refresher/_{name}" for name in files_of("migrations")}
    assert held == files_of("refresher") | moved
    assert "refresher/py.typed" in held
    assert f"{MADE}.dist-info/licenses/LICENSE" in notes
    assert "Root-Is-Purelib: true" in about
    assert "Tag: py3-none-any" in about


def test_the_sdist_is_what_a_wheel_is_made_of(dist: Path, tmp_path: Path) -> None:
    """No tests, benchmarks or documents; a wheel of it is that of the checkout, byte for byte."""
    with tarfile.open(dist / f"{MADE}.tar.gz") as sdist:
        held = {name.removeprefix(f"{MADE}/") for name in sdist.getnames()}
    beside = {"CHANGELOG.md", "LICENSE", "README.md", "constraints.txt", "pyproject.toml"}
    made = {"PKG-INFO", ".gitignore"}
    assert held == files_of("refresher", "migrations") | beside | made
    build(tmp_path, "--wheel")
    assert wheel_in(tmp_path).read_bytes() == wheel_in(dist).read_bytes()


def test_an_index_takes_them(dist: Path, tmp_path: Path) -> None:
    """What twine checks before it uploads is in order, its warnings as well."""
    files = sorted(dist.glob("refresher-*"))
    twine = (sys.executable, "-m", "twine")
    ran = run(*twine, "check", "--strict", *files, env=bare(), folder=tmp_path)
    assert ran.stdout.count("PASSED") == 2


def test_it_says_what_it_is(dist: Path) -> None:
    """Version, licence, addresses, and the versions of Python that CI runs on."""
    told = metadata(dist)
    assert (told["Name"], told["Version"]) == ("refresher", __version__)
    assert told["License-Expression"] == "Apache-2.0"
    urls = dict(line.split(", ", 1) for line in told.get_all("Project-URL", []))
    assert {"Changelog", "Documentation", "Source"} <= urls.keys()
    assert all(url.startswith(urls["Source"]) for url in urls.values())
    kinds = told.get_all("Classifier", [])
    assert "Typing :: Typed" in kinds
    pythons = {kind.rpartition(" ")[2] for kind in kinds if re.search(r":: 3\.\d+$", kind)}
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert pythons == set(re.findall(r'"(3\.\d+)"', workflow))
    assert told["Requires-Python"] == ">=" + min(pythons, key=lambda one: int(one[2:]))


def test_its_page_leads_into_the_repository(dist: Path) -> None:
    """On an index no file lies beside the README: every link and picture has a whole address."""
    page = str(metadata(dist).get_payload())
    assert page.startswith("# refresher")
    links = re.findall(r"\]\(([^)\s]+)", page) + re.findall(r'(?:src|srcset)="([^"]+)"', page)
    assert len(links) > 10
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_every_extra_that_is_named_exists(dist: Path) -> None:
    """`pip install 'refresher[…]'` of README, documents, image and code names extras that exist."""
    there = set(metadata(dist).get_all("Provides-Extra", []))
    pages = [ROOT / "README.md", ROOT / "Dockerfile", *ROOT.glob("docs/**/*.md")]
    texts = [path.read_text() for path in [*pages, *ROOT.glob("refresher/**/*.py")]]
    named = {name for text in texts for name in re.findall(r"(?:refresher|\.)\[([a-z,]+)\]", text)}
    words = {word for name in named for word in name.split(",")}
    assert "embedded" in words
    assert words - there == set()
