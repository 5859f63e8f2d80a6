"""Takes pictures of the pages of a consent and of the dashboard, light and dark, for desk and phone.

    python -m tests.browser.pictures                      all of them, into docs/pictures/
    python -m tests.browser.pictures connect/start        those whose names begin so
    python -m tests.browser.pictures dashboard/overview

What is photographed is what the web process would send: pages of a consent with sample values, those of
the dashboard of the deployment in `dashboard/demo.py`.
"""

from __future__ import annotations

import io
import math
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refresher.web.connect.pages import TONES, Pages
from tests.browser import chromium
from tests.browser.chromium import Chromium
from tests.browser.dashboard import pictures as dashboard

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
FOLDER = PICTURES / "connect"
WIDTHS = {"phone": 390, "desk": 1280}
HEIGHTS = {"phone": 720, "desk": 720}
COLOURS = 96
MANY_COLOURS = 240
"""Of a page on which small shapes have colours of their own."""
SCHEMES = ("light", "dark")
CALENDAR = "https://www.googleapis.com/auth/calendar.readonly"
WORDS = {"scope_words": {CALENDAR: "see your calendars"}}
START: dict[str, Any] = {
    **WORDS,
    "provider": "Google",
    "organization": "Acme Ltd",
    "for_whom": "Ann Archer",
    "scopes": ("openid", "email", CALENDAR),
    "action": "/start",
}
HOST = {
    "provider": "Zendesk",
    "scopes": ("tickets:read",),
    "asks_host": True,
    "host_hint": "acme.zendesk.com",
}
MASKED = "a•••@acme.example"
BUSY = {"provider": "Google", "tone": "busy"}
CONNECTED = {"tone": "good", "account": "ann@acme.example", "for_whom": "Ann Archer"}
SESSION = "019e0a5c-7f1e-7cc3-9d5b-3f1c6a1b2c3d"


HEAD = (
    "# The pages of a consent",
    "",
    "As Chromium shows them, with sample values; `python -m tests.browser.pictures` takes them",
    "anew. What they are for: [connect.md](../../connect.md#pages).",
    "",
)


def ending(code: str, *, again: bool = False, **values: Any) -> tuple[str, dict[str, Any]]:
    """Returns an ending as it looks; `again`: with a button, and the way back."""
    usual = {"code": code, "tone": TONES.get(code, "warn"), "provider": "Google"}
    ways = {"again": "/again", "back": "https://app.example"} if again else {}
    return "ending", {**usual, **ways, **values}


PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("start", START),
    "start-reconnect": ("start", START | {"account": MASKED, "reconnect": True}),
    "start-host": ("start", START | HOST),
    "start-host-wrong": ("start", START | HOST | {"host": "acme.example", "host_wrong": True}),
    "leave": ("leave", BUSY | {"onward": "https://accounts.google.com"}),
    "wait": ("wait", BUSY),
    "connected": ("connected", {"provider": "Google"} | CONNECTED),
    "denied": ending("denied", again=True),
    "wrong-account": ending("wrong_account", again=True, used="ben@acme.example", account=MASKED),
    "scope-missing": ending("scope_missing", again=True, missing=(CALENDAR,), **WORDS),
    "no-refresh-token": ending("no_refresh_token", again=True),
    "provider-trouble": ending("provider_trouble", again=True),
    "app-wrong": ending("app_wrong", session=SESSION, detail="redirect_uri_mismatch"),
    "other-browser": ending("other_browser"),
    "ended": ending("expired"),
    "ended-mail": ending("expired", again=True, back=None, sends="/send"),
    "link-sent": ending("link_sent"),
    "too-long": ending("expired", again=True),
    "too-many": ending("too_many_requests"),
}


def index() -> str:
    """Returns the page that shows them all."""
    kinds = [f"{size}-{scheme}" for size in WIDTHS for scheme in SCHEMES]
    rows = [f"| page | {' | '.join(kind.replace('-', ', ') for kind in kinds)} |", "|---" * 5 + "|"]
    for name in PAGES:
        shown = (f"![{name}, {kind}]({name}-{kind}.png)" for kind in kinds)
        rows.append(f"| {name.replace('-', ' ')} | {' | '.join(shown)} |")
    return "\n".join([*HEAD, *rows, ""])


def main() -> None:
    """Takes the pictures that the command line names."""
    wanted = tuple(sys.argv[1:])
    (PICTURES / "dashboard" / "README.md").write_text(dashboard.index(), encoding="utf-8")
    with dashboard.one_font(), chromium.running() as browser:
        for name, png in dashboard.take(browser, _of("dashboard/", wanted)):
            _save(png, PICTURES / "dashboard" / name, MANY_COLOURS)
    with chromium.running() as browser:
        consents(browser, _of("connect/", wanted))


def consents(browser: Chromium, wanted: tuple[str, ...]) -> None:
    """Takes those of the pages of a consent, and writes the page that shows them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")
    made, chosen = Pages("Acme"), {n: p for n, p in PAGES.items() if n.startswith(wanted)}
    for scheme in SCHEMES:
        for size, width in WIDTHS.items():
            page = _tab(browser, scheme, width, HEIGHTS[size])
            for name, (form, values) in chosen.items():
                page.set_content(bytes(made.page(form, values).body).decode())
                _save(page.screenshot(full_page=True), FOLDER / f"{name}-{size}-{scheme}.png")


def _of(folder: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the beginnings of names that are wanted of a folder's; ("",) for all."""
    if not wanted:
        return ("",)
    return tuple(one.removeprefix(folder) for one in wanted if one.startswith(folder))


def _save(png: bytes, path: Path, colours: int = COLOURS) -> None:
    """Writes a picture of its commonest colours alone, a third of what a browser makes of it."""
    from PIL import Image  # noqa: PLC0415 (of the same extra as Playwright)

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    raw = picture.tobytes()
    pixels = list(zip(raw[::3], raw[1::3], raw[2::3], strict=True))
    counted = Counter(pixels)
    kept = [colour for colour, _ in counted.most_common(colours)]
    places = {colour: _nearest(colour, kept) for colour in counted}
    drawn = Image.frombytes("P", picture.size, bytes(places[colour] for colour in pixels))
    drawn.putpalette([part for colour in kept for part in colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn.save(path, optimize=True)


def _nearest(colour: tuple[int, ...], kept: list[tuple[int, int, int]]) -> int:
    # Pillow's own search is coarse: it would tint every white.
    return min(range(len(kept)), key=lambda n: math.dist(kept[n], colour))


def _tab(browser: Chromium, scheme: str, width: int, height: int) -> Page:
    viewport = {"width": width, "height": height}
    return browser.profile(viewport=viewport, color_scheme=scheme).page()


if __name__ == "__main__":
    main()
