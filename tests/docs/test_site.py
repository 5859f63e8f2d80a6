"""The site as it is built: whole, and fetching nothing from anybody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

pytestmark = pytest.mark.slow
LOADED = re.compile(
    r"""<(?:link[^>]*rel=["']?(?:stylesheet|icon|preload|preconnect)|script|img|source|iframe)\b[^>]*"""
)
ADDRESS = re.compile(r"""(?:href|src|srcset)=["']?([^"'\s>]+)""")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly into a folder of the tests."""
    if find_spec("mkdocs") is None:
        if os.environ.get("REFRESHER_TEST_COMPLETE"):
            pytest.fail("what builds the site is not installed: `make docs`")
        pytest.skip("what builds the site is not installed: `make docs`")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def test_a_page_loads_nothing_from_elsewhere(site: Path) -> None:
    """Fonts, scripts, styles and pictures are the site's own, and each of them is there."""
    missing = set()
    for page in site.glob("**/*.html"):
        for tag in LOADED.findall(page.read_text(encoding="utf-8")):
            for address in ADDRESS.findall(tag):
                if address.startswith("data:"):
                    continue
                assert not re.match(r"(\w+:)?//", address), f"{page.relative_to(site)}: {address}"
                if (
                    not (page.parent / address.partition("?")[0]).exists()
                    and page.name != "404.html"
                ):
                    missing.add(f"{page.relative_to(site)}: {address}")
    assert missing == set()


def test_no_style_fetches_a_font(site: Path) -> None:
    """Neither a style sheet nor a picture of a terminal names another host to load from."""
    for file in [*site.glob("**/*.css"), *site.glob("**/*.svg")]:
        assert not re.search(r"url\([\"']?(https?:)?//", file.read_text(encoding="utf-8")), file


def test_programs_find_every_page(site: Path) -> None:
    """llms.txt names each page of the nav as Markdown, and llms-full.txt has them all."""
    listed = re.findall(r"^- \[.+?\]\((\S+?)\)", (site / "llms.txt").read_text(), re.MULTILINE)
    assert {"index.md", "first-day.md", "sdk.md", "providers/README.md"} <= {*listed}
    whole = (site / "llms-full.txt").read_text(encoding="utf-8")
    for name in listed:
        assert (site / name).read_text(encoding="utf-8") in whole


def test_the_home_is_the_readme(site: Path) -> None:
    """Its links lead to pages of the site, or to the repository."""
    home = (site / "index.html").read_text(encoding="utf-8")
    assert "From nothing to a token" in home
    assert 'href="sdk.html"' in home.replace("href=sdk.html", 'href="sdk.html"')
    assert "/blob/main/refresher/refresh/steps.py" in home
