"""Takes pictures of the dashboard, of the deployment in `demo.py`: light and dark, desk and phone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.browser.chromium import Chromium
from tests.browser.dashboard import demo
from tests.browser.dashboard.demo import Demo
from tests.browser.dashboard.window import Window
from tests.dashboard.kit import Person
from tests.guard import Guard
from tests.services import PostgresServer, migrate, start_postgres

WIDTHS = {"desk": 1440, "phone": 390}
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>
%s
</fontconfig>
"""
_ALIAS = (
    '<match><test name="family"><string>%s</string></test>'
    '<edit name="family" mode="assign" binding="strong"><string>Liberation Sans</string></edit></match>'
)
"""Pictures are of one font wherever they are taken, as far as it is there."""
HEAD = (
    "# The pages of the dashboard",
    "",
    "As Chromium shows them, of a deployment that is made up (`tests/browser/dashboard/demo.py`);",
    "`python -m tests.browser.pictures dashboard/` takes them anew. What they are for:",
    "[dashboard.md](../../dashboard.md).",
    "",
)
SIGN_IN = "sign-in"
ADDRESSES: dict[str, Callable[[Demo], str]] = {
    "overview": lambda _: "/ui",
    "connections": lambda _: "/ui/connections",
    "connection": lambda made: f"/ui/connections/{made.ids['118044210377']}",
    "reconnect": lambda made: f"/ui/connections/{made.ids['44871902']}",
    "bulk": lambda _: "/ui/bulk?do=refresh&health=fresh&provider=hubspot",
    "bulk-job": lambda _: f"/ui/bulk/{demo.BULK_JOB}",
    "providers": lambda _: "/ui/providers",
    "provider": lambda _: "/ui/providers/quickbooks",
    "apps": lambda _: "/ui/apps",
    "webhooks": lambda _: "/ui/webhooks",
    "endpoint": lambda made: f"/ui/webhooks/{made.endpoint}",
    "recipients": lambda _: "/ui/recipients",
    "organization": lambda _: "/ui/organizations/org-2041",
    "keys": lambda _: "/ui/keys",
    "audit": lambda _: "/ui/audit",
    "doctor": lambda _: "/ui/doctor",
    "connect": lambda _: "/ui/connect",
    "account": lambda _: "/ui/account",
    SIGN_IN: lambda _: "/ui/sign-in",
}

MOST_HIGH = 1_560
"""A list goes on below its picture."""
ON_PHONES = {"overview", "connections", "connection"}
"""Of the others a picture that wide tells enough."""


def files() -> list[tuple[str, str, str]]:
    """Returns page, size and theme of every picture."""
    return [
        (name, size, scheme)
        for name in ADDRESSES
        for size in WIDTHS
        for scheme in ("light", "dark")
        if size == "desk" or name in ON_PHONES
    ]


def index() -> str:
    """Returns the page that shows them all."""
    rows = [
        f"| {name.replace('-', ' ')}, {size} | "
        + " | ".join(
            f"![{name}, {size}, {scheme}]({name}-{size}-{scheme}.png)"
            for scheme in ("light", "dark")
        )
        + " |"
        for name, size, scheme in files()
        if scheme == "light"
    ]
    return "\n".join([*HEAD, "| page | light | dark |", "|---|---|---|", *rows, ""])


@contextmanager
def shown() -> Iterator[Demo]:
    """Serves the demo from a database of its own."""
    guard = Guard()
    server: PostgresServer = start_postgres(guard)
    try:
        url = server.create_database("pictures")
        migrate(url)
        with demo.running(url) as made:
            yield made
    finally:
        server.close()
        guard.close()


@contextmanager
def one_font() -> Iterator[None]:
    """Has what is started within the block write in one font."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(FONTS % "".join(_ALIAS % name for name in ("system-ui", "sans-serif", "sans")))
        file.flush()
        os.environ["FONTCONFIG_FILE"] = file.name
        yield
        del os.environ["FONTCONFIG_FILE"]


def take(browser: Chromium, wanted: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yields the pictures of pages whose names begin so, each with the name of its file."""
    names = [name for name in ADDRESSES if name.startswith(wanted)]
    if not names:
        return
    with shown() as made:
        for scheme in ("light", "dark"):
            for size, width in WIDTHS.items():
                options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
                inside = Window(browser, made.person, **options)
                outside = Window(browser, Person(made.site), **options)
                for name in names if size == "desk" else [n for n in names if n in ON_PHONES]:
                    tab = (outside if name == SIGN_IN else inside).open(ADDRESSES[name](made))
                    height = tab.evaluate("document.documentElement.scrollHeight")
                    clip = {"x": 0, "y": 0, "width": width, "height": min(height, MOST_HIGH)}
                    yield f"{name}-{size}-{scheme}.png", tab.screenshot(full_page=True, clip=clip)
                inside.close()
                outside.close()
