"""The log: one line an outcome, one format for all libraries, levels, and no secret."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from refresher.refresh import commit
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Reply
from refresher.runtime.log import CHATTY, configure
from refresher.settings import Settings, load
from tests.world import World

CANARY = "canary-Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A"


class Log:
    """What was logged."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    @property
    def text(self) -> str:
        """What came since the last look."""
        return self._capsys.readouterr().err

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines since the last look, as JSON."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def written(capsys: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """Standard error of this test; logging is put back as it was."""
    loggers = [logging.getLogger(name) for name in ("", *CHATTY)]
    levels = [logger.level for logger in loggers]
    handlers, kept = loggers[0].handlers, structlog.get_config()
    yield Log(capsys)
    loggers[0].handlers = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    structlog.configure(**kept)


def set_up(**settings: str) -> Any:
    """Configures logging, and returns a logger that is not cached."""
    configure(load(log_format="json", **settings))
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr))


def test_a_library_speaks_in_our_format(written: Log) -> None:
    """A line of the standard library's logging is JSON with level, time and the logger's name."""
    set_up()
    logging.getLogger("dramatiq.worker").warning("worker %s is slow", 3)
    (line,) = written.lines
    assert line["event"] == "worker 3 is slow"
    assert (line["level"], line["logger"]) == ("warning", "dramatiq.worker")
    assert line["timestamp"].endswith("Z")


HOSTILE = "a\x1b[2Jb\x9b1mc\u202ed\u2066e\rf\ng\u2028h\x00i\x07"


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_that_a_terminal_obeys_comes_through(written: Log, log_format: str) -> None:
    """Escape sequences, changes of direction and line breaks of others are spelled out, as one line."""
    configure(load(log_format=log_format))
    ours = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    for log_it in (
        lambda: ours.error("it failed", what=HOSTILE),
        lambda: ours.error(HOSTILE, many=[HOSTILE], by_name={"a": HOSTILE}),
        lambda: logging.getLogger("library").error("not %s", HOSTILE),
    ):
        log_it()
        text = written.text
        assert len(text.splitlines()) == 1
        assert all(c.isprintable() for c in text.replace("\x1b[0m", "")[:-1])
        assert "b" in text


def test_a_traceback_has_lines_and_no_other_line_looks_like_one_of_ours(written: Log) -> None:
    """On the console each line of a traceback is set in, those that a message brings as well."""
    configure(load(log_format="console"))
    ours = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    fault = ValueError(f"{HOSTILE}\n2030-01-01T00:00:00Z [info     ] all is well")
    ours.error("it failed", exc_info=fault)
    first, *rest = written.text.split("\n")
    assert "it failed" in first
    assert any("all is well" in line for line in rest)
    assert all(line.startswith("  ") and line.isprintable() for line in rest if line)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_secret_comes_through(written: Log, log_format: str) -> None:
    """Ours and the libraries' lines, their arguments and tracebacks are masked, in both formats."""
    configure(load(log_format=log_format))
    ours = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    ours.error(
        "it failed", refresh_token=CANARY, body={"access_token": CANARY}, what=Secret(CANARY)
    )
    ours.error(f"POST /token refresh_token={CANARY}")
    local = f"Authorization: Bearer {CANARY}"
    try:
        int(local)
    except ValueError:
        ours.exception("a bug")
        logging.getLogger("uvicorn.error").exception("a bug of theirs")
    logging.getLogger("urllib3").warning("GET %s", f"https://x.example/?access_token={CANARY}")
    logging.getLogger("odd").warning("%d is no number", CANARY)
    text = written.text
    assert CANARY not in text
    assert text.count("ValueError") >= 2
    assert "POST /token" in text


def test_a_refresh_is_a_line_at_debug_and_trouble_always_one(
    world: World, written: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At info only what was not simply refreshed has a line of its own, with its ids bound."""
    monkeypatch.setattr(commit, "log", set_up(log_level="info"))
    id_ = world.connect(expires_in=0)
    world.tick()
    assert written.lines == []
    # When it fails
    world.script.answer = lambda _request: Reply(503)
    world.pass_time(3600)
    world.tick()
    (line,) = written.lines
    assert line["event"] == "transient"
    assert line["connection"] == str(id_)
    assert (line["provider"], line["status"], line["attempt"]) == ("acme", 503, 1)
    assert line["lease_token"] == 2


def test_at_debug_every_row_is_told(
    database_url: str, written: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REFRESHER_LOG_LEVEL=debug logs each refreshed row."""
    monkeypatch.setattr(commit, "log", set_up(log_level="debug"))
    world = World(database_url, log_level="debug")
    try:
        id_ = world.connect(expires_in=0)
        world.tick()
        told = [line for line in written.lines if line["event"] == "refreshed"]
        assert [line["connection"] for line in told] == [str(id_)]
        assert told[0]["credential_version"] == 1
    finally:
        world.close()


@pytest.mark.parametrize(
    ("level", "seen"), [("error", 1), ("warning", 2), ("info", 3), ("debug", 4)]
)
def test_the_level_counts_for_everybody(written: Log, level: str, seen: int) -> None:
    """REFRESHER_LOG_LEVEL holds for our lines and the libraries' alike."""
    settings: Settings = load(log_format="json", log_level=level)
    configure(settings)
    other = logging.getLogger("some.library")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        other.log(number, "x")
    assert len(written.lines) == seen
    ours = structlog.get_logger("fresh").bind(a=1)
    for name in ("debug", "info", "warning", "error"):
        getattr(ours, name)("y")
    assert len(written.lines) == seen


@pytest.mark.parametrize("is_closed", [False, True], ids=["full", "closed"])
def test_a_line_that_cannot_be_written_costs_no_reply(
    world: World, written: Log, monkeypatch: pytest.MonkeyPatch, is_closed: bool
) -> None:
    """A full disk behind standard error, or its closed end, stands between no reply and its commit."""
    stream = io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True)
    if is_closed:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    configure(load(log_format="json"))
    monkeypatch.setattr(commit, "log", structlog.get_logger())
    world.script.answer = lambda _request: Reply(503)
    id_ = world.connect(expires_in=0)
    world.tick()
    assert (world.row(id_).state, world.row(id_).attempt) == (0, 1)
    assert written.text == ""
    stream.close()
