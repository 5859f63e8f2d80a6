"""What mkdocs asks while it builds the site: the README as its home, links to the code, llms.txt.

`llms.txt` lists the pages by the nav with a sentence each (https://llmstxt.org), `llms-full.txt` has
them all, and every page lies beside its HTML as the Markdown that it is made of.
"""

from __future__ import annotations

import logging
import posixpath
import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
HOME = "index.md"
ICON = ROOT / "refresher" / "web" / "dashboard" / "static" / "icon.svg"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)\s#]+)(#[^)\s]*)?(?=\))")
PICTURE = re.compile(r'(?<=["\s])(?:src|srcset)="(?!\w+:)([^"]+)"')
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
TOLD = re.compile(r"^(?!#|<|!|\||```|\s)(.+?[.:?])(?:\s|$)", re.MULTILINE | re.DOTALL)
_pages: dict[str, str] = {}


def repository() -> str:
    """Returns where the code is to be read, as the package says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["urls"]["Changelog"]).removesuffix("/blob/main/CHANGELOG.md")


def on_files(files: Any, config: Any) -> Any:
    """Adds the README as the home of the site."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - only the site has it

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, HOME, content=home(text)))
    files.append(File.generated(config, "icon.svg", abs_src_path=str(ICON)))
    return files


def home(readme: str) -> str:
    """Returns the README as a page of docs/."""
    text = PICTURE.sub(lambda found: found[0].replace("docs/", "", 1), readme)
    return _outside_code(text, lambda part: LINK.sub(lambda m: _led("", m), part))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Leads links that leave docs/ to the repository, and keeps the page for llms.txt."""
    uri = page.file.src_uri
    if uri.startswith("providers/"):
        page.meta["search"] = {"boost": 0.1}  # 300 alike would hide every other page
    if uri == HOME:
        page.meta["hide"] = ["navigation"]
        led = markdown
    else:
        led = _outside_code(markdown, lambda part: LINK.sub(lambda m: _led(f"docs/{uri}", m), part))
    _pages[uri] = led
    return led


def _outside_code(text: str, change: Any) -> str:
    parts = FENCED.split(text)
    return "".join(part if part.startswith("```") else change(part) for part in parts)


def _led(page: str, link: re.Match[str]) -> str:
    """Returns where a link of a file of the repository leads in the site."""
    target, anchor = link[1], link[2] or ""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    if path == "README.md":
        return posixpath.relpath(f"docs/{HOME}", posixpath.dirname(page) or "docs") + anchor
    if not (ROOT / path).exists():
        logging.getLogger("mkdocs.hooks").warning("%s names %s, which is not there", page, path)
    if not path.startswith("docs/"):
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{repository()}/{kind}/main/{path}{anchor}"
    return posixpath.relpath(path, posixpath.dirname(page) or "docs") + anchor


def on_post_build(config: Any) -> None:
    """Writes llms.txt, llms-full.txt and the pages as Markdown."""
    site = Path(config["site_dir"])
    for uri, text in _pages.items():
        (site / uri).write_text(text, encoding="utf-8")
    (site / "llms.txt").write_text(listed(config["nav"], _pages, config), encoding="utf-8")
    whole = [_pages[uri] for _, uri in leaves(config["nav"])]
    (site / "llms-full.txt").write_text("\n\n".join(whole), encoding="utf-8")


def listed(nav: list[Any], pages: dict[str, str], config: Any) -> str:
    """Returns llms.txt: a line for each page of the nav."""
    lines = [f"# {config['site_name']}", "", f"> {config['site_description']}", ""]
    for entry in nav:
        ((title, below),) = entry.items()
        if isinstance(below, str):
            lines += [_line(title, below, pages), ""]
            continue
        lines += [f"## {title}", "", *(_line(name, uri, pages) for name, uri in leaves(below)), ""]
    return "\n".join(lines)


def leaves(nav: list[Any]) -> list[tuple[str, str]]:
    """Returns the pages of a nav, with their titles."""
    found: list[tuple[str, str]] = []
    for entry in nav:
        for title, below in entry.items():
            found += [(title, below)] if isinstance(below, str) else leaves(below)
    return found


def _line(title: str, uri: str, pages: dict[str, str]) -> str:
    told = TOLD.search(FENCED.sub("", pages[uri]))
    sentence = (
        re.sub(r"\[([^]]*)\]\([^)]*\)|\*\*", r"\1", " ".join(told[1].split())) if told else ""
    )
    return f"- [{title}]({uri}): {sentence}".removesuffix(": ")
