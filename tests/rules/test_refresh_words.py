"""What a person is told who asked for a refresh."""

import pytest

from refresher.rules.refresh_words import Told, because, ended, refused
from refresher.rules.served import RefreshResult

AT = "in 2 min, at 14:34:07 UTC"


def ending(outcome: str, *, by_us: bool = True, **more: object) -> RefreshResult:
    """A refresh that ended so."""
    return RefreshResult(outcome, by_us, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ending", "held", "parts", "tone"),
    [
        (ending("refreshed"), None, ("Refreshed: a fresh",), "good"),
        (ending("refreshed", by_us=False), None, ("by another process that was at it:",), "good"),
        (ending("adopted"), None, ("took its place",), "good"),
        (
            ending("revoked", reason="invalid_grant: withdrawn", http_status=400),
            None,
            ("Acme has ended the grant (invalid_grant: withdrawn, HTTP 400)", "connected again"),
            "bad",
        ),
        (ending("transient", http_status=503), None, ("(HTTP 503)", f"tried again {AT}."), "warn"),
        (ending("rate_limited"), None, ("asked us to wait.", AT), "warn"),
        (ending("misconfigured", reason="invalid_client"), None, ("refuses our app (inv",), "bad"),
        (ending("postponed"), "app:acme/eu", ("the app acme/eu is left alone", AT), "warn"),
        (
            ending("postponed"),
            "provider:acme@a.example#org",
            ("acme at a.example, for org,",),
            "warn",
        ),
        (ending("postponed"), None, ("Acme is left alone",), "warn"),
        (ending("swept"), None, ("It ended as swept.",), "warn"),
    ],
)
def test_how_it_ended(
    ending: RefreshResult, held: str | None, parts: tuple[str, ...], tone: str
) -> None:
    """Each outcome in a sentence: whose trouble it is, and when it is tried again."""
    told = ended(ending, "Acme", held=held, next_at=AT)
    assert told.tone == tone
    assert all(part in told.sentence for part in parts), told.sentence


def test_nothing_is_promised_where_nothing_is_due() -> None:
    """Without a next time there is no word of one."""
    assert "again" not in ended(ending("transient"), "Acme").sentence


@pytest.mark.parametrize(
    ("ending", "held", "expected"),
    [
        (ending("refreshed", reason="prolonged"), None, ""),
        (ending("transient", reason="HTTP 503"), "app:a/b", " (HTTP 503)"),
        (ending("postponed"), "app:a/b", " (app:a/b is paused)"),
        (ending("swept"), None, ""),
    ],
)
def test_why_it_did_not_succeed(ending: RefreshResult, held: str | None, expected: str) -> None:
    """Its reason, else the pause that it waits for."""
    assert because(ending, held) == expected


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "paced",
            Told(
                f"Its provider takes no second refresh of one grant so soon. It is refreshed {AT}.",
                "warn",
            ),
        ),
        ("paused", Told("It is paused; resuming it ends that.", "warn")),
        ("odd", Told(f"Odd. It is refreshed {AT}.", "warn")),
    ],
)
def test_why_there_was_none(code: str, told: Told) -> None:
    """What stands against it, and when that ends; what is parked waits for no time."""
    assert refused(code, next_at=AT) == told


def test_one_that_takes_long_goes_on() -> None:
    """Who stops waiting loses nothing, and is told so."""
    told = refused("still_refreshing", waited_seconds=10)
    assert told.tone == "still"
    assert "longer than 10 s" in told.sentence
    assert "nothing is lost" in told.sentence
