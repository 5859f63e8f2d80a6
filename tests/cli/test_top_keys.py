"""`refresher top` with keys: what each shows and does, as somebody presses them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from rich.text import Text
from textual.pilot import Pilot
from textual.widgets import Static

from refresher.cli.top import rows
from refresher.cli.top.app import TopApp
from refresher.cli.top.inspecting import TextScreen
from refresher.cli.top.rows import Listing
from refresher.cli.top.source import Source
from refresher.cli.top.steering import Steering
from refresher.errors import DatabaseUnavailable
from refresher.runtime.services import Services
from refresher.settings import load
from refresher.store import audit
from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql

Keys = Pilot[None]


@pytest.fixture
def opened(cli: Cli, services: Services) -> Iterator[Source]:
    """A source on a database with three connections: fresh, late, and one whose grant has ended."""
    cli.connect("bob", name="Bob's calendar")
    cli.connect("dead", "late")
    run_sql(
        cli,
        "update refresh_schedule set state = 2, parked_reason = 'reconnect_required' where "
        "connection_id = (select id from connection where external_id = 'dead')",
    )
    run_sql(
        cli,
        "update refresh_schedule set due_at = now() - interval '90 seconds' where "
        "connection_id = (select id from connection where external_id = 'late')",
    )
    source = Source(services.settings, services.database)
    yield source
    source.close()


def play(
    source: Source,
    story: Callable[[Keys], Awaitable[None]],
    *,
    size: tuple[int, int] = (100, 30),
    read_only: bool = False,
) -> None:
    """Runs the screen, and a story of keys on it."""

    async def run() -> None:
        steering = Steering(source)
        app = TopApp(source, steering, interval=0.1, read_only=read_only)
        async with app.run_test(size=size, notifications=True) as pilot:
            await story(pilot)
        app.close()
        steering.close()

    asyncio.run(run())


def shown(keys: Keys) -> str:
    """Returns all that stands on the screen."""
    app = keys.app
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in lines)


async def sees(keys: Keys, *texts: str) -> None:
    """Waits until all of these stand on the screen."""
    for _ in range(400):
        if all(text in shown(keys) for text in texts):
            return
        await asyncio.sleep(0.02)
    raise AssertionError((texts, shown(keys)))


@pytest.mark.slow
def test_each_key_shows_its_view_and_the_mouse_does_too(opened: Source, cli: Cli) -> None:
    """Five views, words of health, a search, one connection, help: all of it by keys."""

    async def story(keys: Keys) -> None:
        await sees(keys, "1 Overview", "overdue", "Nothing is refreshed: no scheduler is running.")
        await keys.press("2")
        await sees(keys, "Bob's calendar", "late", "2 shown, by what is due")
        await keys.press("h")
        await sees(keys, "3 shown, by organization", "reconnect_required")
        await keys.click("#reconnect_required")
        await sees(keys, "1 shown", "dead")
        await keys.press("slash", *"bo", "enter")
        await sees(keys, '1 fit "bo"; Esc shows all', "Bob's calendar")
        await keys.press("enter")
        await sees(keys, "Bob's calendar · acme", "Its access token is good until", "imported")
        await keys.press("escape", "question_mark")
        await sees(keys, "find a connection by its external id")
        await keys.press("escape", "3")
        await sees(keys, "acme", "quiet")
        await keys.press("4")
        await sees(keys, "No process is registered")
        await keys.press("5")
        await sees(keys, "imported", "the newest 100")
        await keys.press("enter")
        await sees(keys, "Its access token")
        await keys.press("1")
        await sees(keys, "overdue")
        await keys.click("#--content-tab-view-2")
        await sees(keys, "external id")
        await keys.press("q")

    play(opened, story)


def test_a_deed_asks_first_and_is_written_down(opened: Source, services: Services) -> None:
    """Pause and resume: the dashboard's words, its checks, and an entry of who did it here."""

    async def story(keys: Keys) -> None:
        await keys.press("2", "slash", *"bob", "enter")
        await sees(keys, '1 fit "bob"', "fresh")
        await keys.press("p")
        await sees(
            keys, "Pause Bob's calendar (acme)?", "It keeps its tokens.", "Pause this connection"
        )
        await keys.press("n", "p")
        await sees(keys, "Pause this connection")
        await keys.press("enter")
        await sees(keys, "is paused: it keeps its tokens", "paused")
        await keys.press("p")
        await sees(keys, "Bob's calendar: it is paused already.")
        await keys.press("u")
        await sees(keys, "Resume Bob's calendar (acme)?")
        await keys.press("y")
        await sees(keys, "Bob's calendar is resumed.")

    play(opened, story)
    with services.database.transaction() as db:
        entries = audit.recent(db, limit=10)
    assert [entry.action for entry in entries if entry.action in {"paused", "resumed"}] == [
        "resumed", "paused",
    ]  # fmt: skip
    assert entries[0].key_id.startswith("cli:")


@pytest.mark.slow
def test_who_only_looks_changes_nothing(opened: Source) -> None:
    """With --read-only the keys say so, and ask nothing."""

    async def story(keys: Keys) -> None:
        await keys.press("2")
        await sees(keys, "Bob's calendar", "only looks")
        await keys.press("p")
        await sees(keys, "This terminal only looks")
        assert not isinstance(keys.app.screen, TextScreen)

    play(opened, story, read_only=True)


@pytest.mark.slow
def test_the_last_look_outlasts_the_database(
    opened: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While Postgres is away the list stays, with a line that says so; then it goes on."""

    async def story(keys: Keys) -> None:
        await keys.press("2")
        await sees(keys, "Bob's calendar")
        with monkeypatch.context() as patch:
            patch.setattr(Source, "connections", away)
            await sees(keys, "old: it cannot be used", "Bob's calendar")
        await sees(keys, "Bob's calendar")
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not keys.app.query_one("#trouble", Static).display:
                return
        raise AssertionError(shown(keys))

    play(opened, story, size=(60, 20))


def away(*_: object, **__: object) -> None:
    """Fails as a look at a database that is away."""
    raise DatabaseUnavailable("it cannot be used: connection refused")


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (80, {0: 4, 1: 8, 2: 40, 3: 4}),
        (46, {0: 4, 1: 8, 2: 22, 3: 4}),
        (30, {0: 4, 2: 22}),
        (20, {0: 4, 2: 12}),
    ],
)
def test_a_width_has_room_for_so_much(width: int, expected: dict[int, int]) -> None:
    """What is long is squeezed, then spare columns go, then all that is left is squeezed."""
    cells = ("c4f1", "provider", "r" * 40, "1234", "")
    listing = Listing(
        ("id", "provider", "reason", "n", "empty"), [[Text(one) for one in cells]], ["1"],
        ("n", "provider"),
    )  # fmt: skip
    assert rows.fit(listing, width) == expected


@pytest.mark.slow
def test_a_refresh_is_waited_for_and_told(
    cli: Cli, granted: str, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a real provider: asked, refreshed, told, and written down."""
    monkeypatch.setattr("refresher.runtime.log.configure", lambda _: None)
    source = Source(load(), services.database)

    async def story(keys: Keys) -> None:
        await keys.press("2")
        await sees(keys, granted, "fresh")
        await keys.press("r")
        await sees(keys, f"Refresh {granted} (acme) now?", "ahead of everything that waits")
        await keys.press("y")
        await sees(keys, "Refreshed: a fresh token is stored.")

    play(source, story)
    source.close()
    kinds = [line["kind"] for line in cli("events", granted, "--json").lines]
    assert kinds == ["imported", "refreshed"]
    with services.database.transaction() as db:
        asked = [one for one in audit.recent(db, limit=10) if one.action == "refresh_asked"]
    assert [one.key_id[:4] for one in asked] == ["cli:"]
