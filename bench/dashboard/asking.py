"""Which addresses are asked, from the routes themselves, and how long each answer took."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString

import httpx

from bench.dashboard.rows import ENDPOINT, LARGE, SMALL, Db, id_of
from bench.dashboard.serving import EVERYBODY, Site
from refresher.rules.standing_word import Health
from refresher.web.dashboard.routes import ROUTES

BETWEEN_SECONDS = 0.055
"""A session may ask 20 times a second."""
NEXT = re.compile(r'<a class="button" href="([^"]+)" rel="next">')
KINDS: Mapping[str, LiteralString] = {
    "fresh": "s.state = 0 and s.attempt = 0 and s.postponed_by is null and c.root_id is null",
    "reconnect": "s.state = 2 and s.parked_reason = 'reconnect_required'",
    "blocked": "s.state = 2 and s.parked_reason = 'unread_answer'",
    "retrying": "s.state = 0 and s.attempt > 0",
}
WORDS = [f"health={word}" for word in Health]
OWNED = [f"{one}&organization={org}" for one in WORDS for org in (LARGE, SMALL)]
QUERIES: Mapping[str, Sequence[str]] = {
    "/ui": ["", f"organization={LARGE}", f"organization={SMALL}"],
    "/ui/connections": [
        *("", "order=due", "provider=google", "provider=google&order=due", "app=default", "app=eu"),
        *(f"organization={LARGE}", f"organization={LARGE}&order=due", "organization=nobody"),
        *WORDS,
        *OWNED,
        *(f"{one}&provider=google" for one in WORDS),
        *("find=1180000000003", "find=1180", "find=user", "find=ledger", "find=zzzz", "find=cafe"),
        *("find=a", "find=acct_zz", "cursor=garbage"),
    ],
    "/ui/bulk": [
        *("", "do=pause&health=reconnect_required", "do=refresh&provider=google", "do=resume"),
        f"do=pause&health=blocked&organization={SMALL}",
    ],
    "/ui/audit": ["", "key=key7"],
    "/ui/webhooks/{id}": ["", "state=failed", "state=held", "state=delivered"],
}


@dataclass(frozen=True, slots=True)
class Address:
    """One address, and who asks for it."""

    pattern: str
    path: str
    whose: str


@dataclass(frozen=True, slots=True)
class Answered:
    """How long the answers took; `refused` counts those that were no page."""

    pattern: str
    path: str
    whose: str
    asked: int
    p50_ms: float
    p99_ms: float
    refused: int


class Person:
    """Somebody signed in, with a connection that stays open."""

    def __init__(self, site: Site, whose: str) -> None:
        self.client = httpx.Client(base_url=f"http://localhost:{site.port}", timeout=30)
        form = {"key": site.keys[whose], "next": ""}
        origin = {"origin": f"http://localhost:{site.port}", "sec-fetch-site": "same-origin"}
        answer = self.client.post("/ui/sign-in", data=form, headers=origin)
        assert answer.status_code == 303, answer.text
        self._next = 0.0

    def get(self, path: str) -> tuple[httpx.Response, float]:
        """Returns an answer and its milliseconds; waits for this session's turn before."""
        time.sleep(max(0.0, self._next - time.perf_counter()))
        began = time.perf_counter()
        try:
            answer = self.client.get(path)
        except httpx.RemoteProtocolError:  # the server had just closed what was idle
            answer = self.client.get(path)
        took = time.perf_counter() - began
        self._next = began + BETWEEN_SECONDS
        return answer, took * 1_000


def addresses(db: Db, site: Site) -> list[Address]:
    """Returns what is asked: each route that only looks, with each of its queries, by who may."""
    values = _values(db, site)
    found = []
    for route in ROUTES:
        if route.method != "GET" or route.pattern == "/ui/sign-out":
            continue
        paths = _filled(route.pattern, values)
        queries = QUERIES.get(route.pattern, [""])
        who = [EVERYBODY] if route.everybody else [EVERYBODY, LARGE, SMALL]
        for whose in who:
            asked = (
                queries if whose == EVERYBODY else [q for q in queries if "organization" not in q]
            )
            for path in paths:
                found += [
                    Address(route.pattern, f"{path}?{query}" if query else path, whose)
                    for query in asked
                ]
    return [*found, Address("/ui/live/overview", "/ui/live/overview", EVERYBODY)]


def _filled(pattern: str, values: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the paths of a pattern; what its variables may be depends on where they stand."""
    if "{" not in pattern:
        return [pattern]
    if pattern.count("{") == 2:
        return [pattern.replace("{provider}", "google").replace("{name}", "default")]
    section = "/".join(pattern.split("/")[:3])
    return [re.sub(r"\{\w+\}", one, pattern) for one in values[section]]


def _values(db: Db, site: Site) -> Mapping[str, Sequence[str]]:
    job = db.execute("select max(id) from bulk_job").fetchone()
    recipient = db.execute("select id from recipient limit 1").fetchone()
    assert job is not None
    assert recipient is not None
    busy = "md5('5')"
    first = db.execute(f"select {busy}::uuid").fetchone()
    assert first is not None
    return {
        "/ui/connections": [str(first[0]), *(id_of(db, condition) for condition in KINDS.values())],
        "/ui/webhooks": [ENDPOINT],
        "/ui/keys": [site.keys[EVERYBODY].split("_")[1]],
        "/ui/bulk": [str(job[0])],
        "/ui/providers": ["google", "hubspot"],
        "/ui/organizations": [LARGE, SMALL],
        "/ui/recipients": [str(recipient[0])],
    }


def ask(
    people: Mapping[str, Sequence[Person]], wanted: Sequence[Address], rounds: int
) -> list[Answered]:
    """Asks each address so often, in turn, and the page behind it where it has one."""
    took: dict[Address, list[float]] = {one: [] for one in wanted}
    refused = dict.fromkeys(wanted, 0)
    for number in range(rounds):
        for place, one in enumerate(list(took)):
            person = people[one.whose][(number + place) % len(people[one.whose])]
            answer, milliseconds = person.get(one.path)
            took[one].append(milliseconds)
            refused[one] += answer.status_code not in {200, 303, 304, 403, 404, 409}
            if number == 0 and (more := NEXT.search(answer.text)):
                behind = Address(one.pattern, html.unescape(more[1]), one.whose)
                took.setdefault(behind, [])
                refused.setdefault(behind, 0)
    return [_told(one, times, refused[one]) for one, times in took.items() if times]


def _told(one: Address, times: Sequence[float], refused: int) -> Answered:
    ordered = sorted(times)
    p50, p99 = (round(ordered[int((len(ordered) - 1) * share)], 1) for share in (0.5, 0.99))
    return Answered(one.pattern, one.path, one.whose, len(times), p50, p99, refused)
