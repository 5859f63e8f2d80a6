"""What stands around every page: the left column with its numbers, who is here, what was just said."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from refresher.rules.access import Scope
from refresher.runtime.cipher import Cipher
from refresher.web.dashboard.routing import Goto, Page
from refresher.web.dashboard.sessions import Session
from refresher.web.dashboard.visit import Visit

ROOT, LIVE = "/ui", "/ui/live"
PURPOSE = b"refresher dashboard said"
MOST_SAID = 600
SAID_SECONDS = 60
TONES = ("good", "warn", "bad", "still")
Numbers = Callable[[Visit], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the left column."""

    name: str
    address: str
    section: str
    gap: bool = False
    everybody: bool = False
    count: int = 0
    is_current: bool = False


ITEMS = (
    Item("Overview", "/ui", "overview"),
    Item("Connections", "/ui/connections", "connections"),
    Item("Providers", "/ui/providers", "providers"),
    Item("Apps", "/ui/apps", "apps", everybody=True),
    Item("Webhooks", "/ui/webhooks", "webhooks", gap=True),
    Item("Recipients", "/ui/recipients", "recipients"),
    Item("Keys and audit", "/ui/keys", "keys", gap=True, everybody=True),
    Item("Doctor", "/ui/doctor", "doctor", everybody=True),
)
AUDIT = Item("Audit", "/ui/audit", "keys", gap=True)
"""For keys of one organization, to which there are no keys."""


def around(page: Page, visit: Visit, section: str, numbers: Mapping[str, int]) -> dict[str, object]:
    """Returns what the layout shows beside a page."""
    return {
        "sections": _items(visit, page.section or section, numbers),
        "scopes_in_words": _scopes(visit),
        "live_address": live_address(visit),
        "said": None,
        "said_tone": "good",
    }


def live_address(visit: Visit) -> str:
    """Returns where a script asks for the parts of this page that have changed."""
    rest = visit.path.removeprefix(ROOT) or "/overview"
    query = urlencode(list(visit.query_pairs))
    return f"{LIVE}{rest}" + (f"?{query}" if query else "")


def page_of(live_path: str) -> str:
    """Returns the path of the page whose parts stand at a path below `/ui/live`."""
    rest = live_path.removeprefix(LIVE)
    return ROOT if rest in {"", "/", "/overview"} else f"{ROOT}{rest}"


def said_cookie(cipher: Cipher, session: Session, answer: Goto) -> str:
    """Returns what is said after a deed as the value of a cookie that nobody else can make."""
    told = urlsafe_b64encode(orjson.dumps([answer.tone, (answer.said or "")[:MOST_SAID]])).decode()
    return f"{told}.{_proofs(cipher, session, told)[0]}"


def said_in(cipher: Cipher, session: Session, cookie: str | None) -> Mapping[str, object]:
    """Returns what a cookie says, for the frame; nothing where it is none of ours."""
    told, _, proof = (cookie or "").partition(".")
    sent = proof.encode()
    if not any(hmac.compare_digest(one.encode(), sent) for one in _proofs(cipher, session, told)):
        return {}
    try:
        tone, sentence = orjson.loads(urlsafe_b64decode(told))
    except (ValueError, NotBase64):
        return {}
    return {"said": sentence, "said_tone": tone if tone in TONES else "still"}


def _proofs(cipher: Cipher, session: Session, told: str) -> list[str]:
    return [proof.hex() for proof in cipher.proofs(PURPOSE, session.mark + told.encode())]


def _items(visit: Visit, section: str, numbers: Mapping[str, int]) -> list[Item]:
    items = ITEMS if visit.is_everybodys else (*ITEMS, AUDIT)
    return [
        Item(
            item.name,
            item.address,
            item.section,
            item.gap,
            item.everybody,
            numbers.get(item.section, 0),
            item.section == section,
        )
        for item in items
        if visit.is_everybodys or not item.everybody
    ]


def _scopes(visit: Visit) -> str:
    if visit.session.read_only:
        return "only looks"
    return ", ".join(scope for scope in Scope if scope in visit.key.scopes)
