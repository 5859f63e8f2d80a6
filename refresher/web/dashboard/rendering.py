"""Makes HTML of a page: templates that only print, strangers' text that stays text.

In every template: `view`, `visit`, `title`, `may(scope)`, `url(path, **query)`, `static(file)`, and the
macros of `_parts.html` by their names. Nothing here does I/O.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.runtime import Context
from markupsafe import Markup

from refresher.rules.words import many, span
from refresher.web.dashboard import forms, moments, static
from refresher.web.dashboard.routing import Page
from refresher.web.dashboard.visit import Visit

Block = Callable[[Context], Iterator[str]]
MOST_SHOWN = 200
UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff"
    "\\ufff9-\\ufffb\\U000e0000-\\U000e007f\\ud800-\\udfff]"
)
"""Control characters, and those that turn the order of text around or are not seen at all."""
PART = "part_"
"""How the blocks of a template begin that may be swapped while the page is open."""


def shown(value: object) -> object:
    """Returns a value as a page may hold it: what cannot be seen, or turns text, as its number."""
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    return UNSEEN.sub(_numbered, value) if isinstance(value, str) else value


def stranger(value: object, most: int = MOST_SHOWN) -> str:
    """Returns somebody else's text, cut where it is long."""
    text = "" if value is None else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def url(path: str, **query: object) -> str:
    """Returns an address with those parameters that are given; a list gives each of its values."""
    given = {
        name.rstrip("_"): value for name, value in query.items() if value not in (None, "", [], ())
    }
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def _numbered(found: re.Match[str]) -> str:
    return f"\N{LEFT CEILING}U+{ord(found[0]):04X}\N{RIGHT CEILING}"


class Rendering:
    """The templates of one process. Safe to use from every thread."""

    def __init__(self) -> None:
        self.templates = Environment(
            loader=PackageLoader("refresher.web.dashboard"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=shown,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters |= {
            "stranger": stranger,
            "span": span,
            "number": moments.number,
            "counted": many,
        }
        self.templates.globals |= {"url": url, "static": _address}

    def page(self, page: Page, visit: Visit, frame: Mapping[str, object]) -> str:
        """Returns the whole document; `frame` has what stands around it."""
        return self.templates.get_template(page.template).render(self._values(page, visit, frame))

    def parts(self, page: Page, visit: Visit, frame: Mapping[str, object]) -> dict[str, str]:
        """Returns each part of a page that may be swapped, by its name.

        The page is rendered as ever, for a part may use what stands above it; its parts are noted.
        """
        template = self.templates.get_template(page.template)
        layout = self.templates.get_template("layout.html")
        context = template.new_context(self._values(page, visit, frame))
        made: dict[str, str] = {}
        for name, block in {**layout.blocks, **template.blocks}.items():
            if name.startswith(PART):
                context.blocks[name] = [_noting(made, name.removeprefix(PART), block)]
        deque(template.root_render_func(context), maxlen=0)
        return made

    def alone(self, template: str, values: Mapping[str, object]) -> str:
        """Returns a document for whoever is not signed in."""
        whole = {"theme": None, "foot": None, **values}
        macros = self.templates.get_template("_parts.html").make_module({"visit": None})
        return self.templates.get_template(template).render({**_public(macros), **whole})

    def _values(self, page: Page, visit: Visit, frame: Mapping[str, object]) -> dict[str, Any]:
        own = {
            "visit": visit,
            "now": visit.now,
            "may": visit.may,
            "when": partial(_when, visit),
            "ago": partial(_ago, visit),
            "inside": partial(_ago, visit),
            "csrf": partial(_token, visit),
            "once": forms.once,
            "zone_name": f"{visit.now.astimezone(visit.zone):%Z}",
        }
        macros = self.templates.get_template("_parts.html").make_module(own)
        about = {"view": page.view, "title": page.title, "page": page, "mistake": None}
        return {**_public(macros), **own, **about, **frame, **page.more}


def _noting(made: dict[str, str], name: str, block: Block) -> Block:
    """Returns a block that also notes what it renders."""

    def noted(context: Context) -> Iterator[str]:
        made[name] = "".join(block(context))
        yield made[name]

    return noted


def _public(module: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if not name.startswith("_")}


def _when(visit: Visit, at: datetime | None, shown_as: str | None = None) -> Markup:
    return moments.when(at, visit.now, visit.zone, shown_as)


def _ago(visit: Visit, at: datetime) -> str:
    return moments.ago(at, visit.now)


def _token(visit: Visit, action: str) -> str:
    return forms.token(visit.services.cipher, visit.session, unquote(action))


def _address(name: str) -> str | None:
    return static.address(name) if name in static.contents() else None
