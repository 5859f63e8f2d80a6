"""Takes pictures of the pages of a consent, light and dark, as wide as a phone and as a desk.

    python -m tests.browser.pictures            all of them, into docs/pictures/connect/
    python -m tests.browser.pictures start      those whose names begin so

What is photographed is what the web process would send, with sample values; no server runs.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from refresher.web.connect.pages import Pages
from tests.browser import chromium
from tests.browser.chromium import Chromium

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "pictures" / "connect"
WIDTHS = {"phone": 390, "desk": 1280}
HEIGHTS = {"phone": 720, "desk": 720}
COLOURS = 96
SCHEMES = ("light", "dark")
CALENDAR = "https://www.googleapis.com/auth/calendar.readonly"
START: dict[str, Any] = {
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
ACCOUNT = {"account": "a•••@acme.example"}
AGAIN = {"provider": "Google", "again": "/again", "back": "https://app.example"}
SESSION = "019e0a5c-7f1e-7cc3-9d5b-3f1c6a1b2c3d"
PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "start": ("start", START),
    "start-reconnect": ("start", START | ACCOUNT | {"reconnect": True}),
    "start-host": ("start", START | HOST),
    "start-host-wrong": ("start", START | HOST | {"host": "acme.example", "host_wrong": True}),
    "leave": (
        "leave",
        {"provider": "Google", "tone": "busy", "onward": "https://accounts.google.com"},
    ),
    "wait": ("wait", {"provider": "Google", "tone": "busy"}),
    "connected": (
        "connected",
        {"provider": "Google", "tone": "good", "account": "ann@acme.example"}
        | {"for_whom": "Ann Archer"},
    ),
    "denied": ("ending", AGAIN | {"code": "denied", "tone": "still"}),
    "wrong-account": (
        "ending",
        AGAIN | ACCOUNT | {"code": "wrong_account", "tone": "warn", "used": "ben@acme.example"},
    ),
    "scope-missing": (
        "ending",
        AGAIN | {"code": "scope_missing", "tone": "warn", "missing": (CALENDAR,)},
    ),
    "no-refresh-token": ("ending", AGAIN | {"code": "no_refresh_token", "tone": "warn"}),
    "provider-trouble": ("ending", AGAIN | {"code": "provider_trouble", "tone": "bad"}),
    "app-wrong": (
        "ending",
        {"code": "app_wrong", "tone": "bad", "provider": "Google", "session": SESSION}
        | {"detail": "redirect_uri_mismatch"},
    ),
    "other-browser": ("ending", {"code": "other_browser", "tone": "warn"}),
    "ended": ("ending", {"code": "expired", "tone": "still"}),
    "ended-mail": (
        "ending",
        {"code": "expired", "tone": "still", "again": "/send", "sends": "/send"},
    ),
    "link-sent": ("ending", {"code": "link_sent", "tone": "good"}),
    "too-long": ("ending", AGAIN | {"code": "expired", "tone": "still"}),
    "too-many": ("ending", {"code": "too_many_requests", "tone": "warn"}),
}


def main() -> None:
    """Takes the pictures that the command line names."""
    wanted = {n: p for n, p in PAGES.items() if n.startswith(tuple(sys.argv[1:]) or "")}
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = Pages("Acme")
    with chromium.running() as browser:
        for scheme in SCHEMES:
            for size, width in WIDTHS.items():
                page = _tab(browser, scheme, width, HEIGHTS[size])
                for name, (form, values) in wanted.items():
                    page.set_content(bytes(made.page(form, values).body).decode())
                    _save(page.screenshot(full_page=True), f"{name}-{size}-{scheme}.png")


def _save(png: bytes, name: str) -> None:
    """Writes a picture of its commonest colours alone, a third of what a browser makes of it."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    counted = sorted(picture.getcolors(picture.width * picture.height), reverse=True)
    common = Image.new("P", (1, 1))
    common.putpalette([part for _, colour in counted[:COLOURS] for part in colour])
    picture.quantize(palette=common, dither=Image.Dither.NONE).save(FOLDER / name, optimize=True)


def _tab(browser: Chromium, scheme: str, width: int, height: int) -> Page:
    viewport = {"width": width, "height": height}
    return browser.profile(viewport=viewport, color_scheme=scheme).page()


if __name__ == "__main__":
    main()
