"""The overview: its sentence, what needs a person, and what each key sees of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from refresher.errors import DatabaseUnavailable
from refresher.insight import looks
from refresher.rules.access import Scope
from refresher.store import workers
from refresher.web.dashboard.pages import overview
from tests.dashboard.kit import Person
from tests.web.kit import Site


@pytest.fixture(autouse=True)
def _each_look_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEPT_SECONDS", "KEPT_TIMES", "KEPT_LONGER_SECONDS", "AGAIN_SECONDS"):
        monkeypatch.setattr(looks, name, 0.0)


def refuse_the_app(site: Site) -> None:
    """Has acme refuse our app, for which three connections wait."""
    for n in range(3):
        site.world.connect(f"c{n}", expires_in=600 + n)
    site.world.hold("app", "acme/default", sort="refused", reason="invalid_client", seconds=900)
    site.world.run(
        "update refresh_schedule set postponed_by = 'app:acme/default', "
        "waits_for = 'app:acme/default', due_at = refresher_now() + interval '15 minutes'"
    )


def test_without_a_connection_there_are_three_ways_to_the_first(person: Person) -> None:
    """Of nothing there are no figures, and it is said how a first one comes."""
    words = person.page("/ui").words
    assert "No connection is stored yet." in words
    assert "refresher connections import FILE" in words
    assert "Store an app" in words
    assert "Refreshes a second" not in words


def test_what_needs_a_person_stands_first_with_its_link(site: Site, person: Person) -> None:
    """The sentence, the need with its link, the figures, the provider in trouble, the left column."""
    with site.world.services.database.session() as db:
        key = workers.register(db, site.world.services.holder_id, role="scheduler", host="sched-1",
                               process_id=7)  # fmt: skip
        assert workers.take_lock(db, key)
        site.world.run("update worker set seen_at = refresher_now(), started_at = refresher_now()")
        refuse_the_app(site)
        page = person.page("/ui")
    for part in (
        "Every token is fresh. 1 thing needs a person.",
        "Nothing is late. The first that could end is one at acme, in 10 min.",
        "acme refuses our app acme/default",
        "invalid_client since 12:00. 3 connections wait for it; the first of their tokens ends at",
        "Refreshes a second", "of 4,000", "0 switched off",
        "app refused", "invalid_client, app acme/default, next try in 15 min",
        "scheduler", "sched-1, for <1 ms", "alive", "1 running, none missing",
        "Connect an account",
    ):  # fmt: skip
        assert part in page.words, part
    assert "/ui/apps/acme/default" in page.text
    assert '<span class="count">1</span>' in page.text


def test_a_bound_key_sees_its_own_and_no_work(site: Site) -> None:
    """Numbers, needs and pauses of one organization; no rates, no queue, no processes."""
    refuse_the_app(site)
    site.world.connect("theirs", organization_id="other")
    bound = Person.signed_in(site, [Scope.READ], "org").page("/ui").words
    for part in ("Connections", "3", "Scheduled", "app refused", "invalid_client"):
        assert part in bound
    for part in ("Refreshes a second", "Processes", "of 4,000", "Connect an account", "theirs"):
        assert part not in bound
    narrowed = Person.signed_in(site).page("/ui?organization=org").words
    assert "Of the organization org alone" in narrowed
    assert "Refreshes a second" not in narrowed
    assert (
        "No connection is stored yet."
        in Person.signed_in(site, [Scope.READ], "new").page("/ui").words
    )


def test_while_postgres_is_away_the_last_look_stays(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A banner with its age, and nothing that changes something; back by itself; 503 where none is."""
    refuse_the_app(site)
    assert "Postgres is away" not in person.page("/ui").words

    def away(*_given: Any) -> None:
        raise DatabaseUnavailable("the server refuses the connection")

    real = looks.take
    monkeypatch.setattr(looks, "take", away)
    for kept in ("KEPT_SECONDS", "MOST_KEPT_SECONDS"):
        monkeypatch.setattr(looks, kept, 0.0)  # the next page wants a new look
    for patience in ("SHORT_PATIENCE_SECONDS", "OLD_PATIENCE_SECONDS"):
        monkeypatch.setattr(overview, patience, 10.0)
    page = person.page("/ui")
    assert re.search(r"Postgres is away\. What you see is [\d.]+ s old\.", page.words)
    assert "the server refuses the connection. Until it is back nothing is refreshed" in page.words
    assert "Last seen" in page.words
    assert "Needs a person" in page.words
    assert "Connect an account" not in page.words
    none = person.get("/ui?organization=org")
    assert none.status_code == 503
    assert none.headers["retry-after"]
    monkeypatch.setattr(looks, "take", real)
    monkeypatch.setattr(looks, "AGAIN_SECONDS", 0.0)
    assert "Postgres is away" not in person.page("/ui").words


def test_who_polls_is_told_what_changed_and_nothing_else(
    site: Site, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part as a template; the same look is 304, with the time; a new one is sent."""
    monkeypatch.setattr(looks, "KEPT_SECONDS", 600.0)
    first = person.get("/ui/live/overview")
    assert first.status_code == 200
    for part in ("sections", "age", "sentence", "top", "figures", "providers", "processes"):
        assert f'<template data-part="{part}">' in first.text
    assert "<html" not in first.text
    again = person.get("/ui/live/overview", if_none_match=first.headers["etag"])
    assert (again.status_code, again.text) == (304, "")
    assert again.headers["x-updated"].endswith("Z 12:00:00")
    monkeypatch.setattr(looks, "KEPT_SECONDS", 0.0)
    site.world.connect("c1")
    site.api.state.looks.seen(None, patience_seconds=30)
    monkeypatch.setattr(looks, "KEPT_SECONDS", 600.0)
    changed = person.get("/ui/live/overview", if_none_match=first.headers["etag"])
    assert changed.status_code == 200
    assert "No scheduler is running" in changed.text
