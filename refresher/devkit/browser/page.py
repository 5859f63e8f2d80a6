"""What came: a page's status, headers and words, with its forms and links."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import urljoin

_REFRESH = re.compile(r"\s*(\d+)\s*(?:[;,]\s*url\s*=\s*['\"]?([^'\"]*)['\"]?)?", re.IGNORECASE)


@dataclass(slots=True)
class Form:
    """A form: where it goes, what it says, and its buttons as (text, name, value)."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    def filled(self, button: str | None, given: Mapping[str, object]) -> list[tuple[str, str]]:
        """Returns what is sent when `button` (its text or value; the first by default) is pressed.

        `given` fills fields by name; a list stands for boxes that are ticked, None for none of them.
        """
        texts = [text for text, _, _ in self.buttons]
        pressed = [b for b in self.buttons if button is None or button in {b[0], b[2]}][:1]
        if button is not None and not pressed:
            raise LookupError(f"no button {button!r} here: there are {texts}")
        sent = [(name, value) for name, value in self.fields if name not in given]
        for name, value in given.items():
            values = value if isinstance(value, list | tuple) else [] if value is None else [value]
            sent += [(name, str(one)) for one in values]
        return sent + [(name, value) for _, name, value in pressed if name]


@dataclass(frozen=True)
class Page:
    """One answer, as a browser shows it. `hops` are the URLs of this navigation before it."""

    url: str
    status: int
    headers: Mapping[str, str]
    text: str = field(repr=False)
    hops: tuple[str, ...] = ()
    next_url: str | None = None
    """where it redirects to, which was not followed"""

    @cached_property
    def _parsed(self) -> "_Reader":
        reader = _Reader()
        reader.feed(self.text if "html" in self.headers.get("content-type", "") else "")
        return reader

    @property
    def words(self) -> str:
        """What a person reads, with single spaces."""
        return " ".join("".join(self._parsed.words).split())

    @property
    def title(self) -> str:
        """The page's title."""
        return " ".join("".join(self._parsed.title).split())

    @property
    def forms(self) -> list[Form]:
        """Its forms, in order."""
        return self._parsed.forms

    @property
    def links(self) -> dict[str, str]:
        """Its links: the URL of each text."""
        return {text: urljoin(self.url, href) for text, href in self._parsed.links}

    @property
    def refresh(self) -> tuple[float, str] | None:
        """After how many seconds it moves on by itself, and to where: to itself, if it names no URL."""
        found = _REFRESH.match(self.headers.get("refresh", ""))
        return None if found is None else (float(found[1]), urljoin(self.url, found[2] or self.url))


class _Reader(HTMLParser):
    """Reads forms, links and words out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.title: list[str] = []
        self._into: list[str] = self.words
        self._open: list[tuple[str, dict[str, str], int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        match tag:
            case "form":
                self.forms.append(Form(told.get("action", ""), told.get("method", "get").lower()))
            case "input" if self.forms and "name" in told:
                is_box = told.get("type") in {"checkbox", "radio"}
                if "checked" in told or not is_box:
                    self.forms[-1].fields.append(
                        (told["name"], told.get("value", "on" if is_box else ""))
                    )
            case "a" | "button":
                self._open.append((tag, told, len(self.words)))
            case "title":
                self._into = self.title
            case "style" | "script":
                self._into = []

    def handle_endtag(self, tag: str) -> None:
        if tag in {"title", "style", "script"}:
            self._into = self.words
        if not self._open or self._open[-1][0] != tag:
            return
        _, told, began = self._open.pop()
        text = " ".join("".join(self.words[began:]).split())
        if tag == "a":
            self.links.append((text, told.get("href", "")))
        elif self.forms and told.get("type", "submit") == "submit":
            self.forms[-1].buttons.append((text, told.get("name", ""), told.get("value", "")))

    def handle_data(self, data: str) -> None:
        self._into.append(data)
