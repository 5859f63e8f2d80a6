"""While a chunk of an import is stored, the next one is read: all is told as if it were not."""

from collections.abc import Sequence
from threading import Event
from typing import Any

import orjson
import pytest

from refresher.cli.import_run import CHUNK, ImportLine, ImportRun, understood
from refresher.connections.registration import Registered
from refresher.rules.registration import NewConnection
from tests.cli.kit import row


def lines(count: int, **bad: int) -> list[ImportLine]:
    """So many good lines; those of `bad` are none."""
    found: list[Any] = [row(f"c{n}") for n in range(1, count + 1)]
    for number in bad.values():
        found[number - 1] = {}
    return [ImportLine(n, orjson.dumps(one)) for n, one in enumerate(found, start=1)]


class Store:
    """Takes chunks, each when it may; of each it refuses the first connection."""

    def __init__(self) -> None:
        self.may, self.began = Event(), Event()
        self.chunks: list[int] = []

    def take(self, chunk: Sequence[NewConnection]) -> Registered:
        """Waits, and takes it."""
        self.began.set()
        assert self.may.wait(30)
        self.chunks.append(len(chunk))
        return Registered(created=len(chunk) - 1, rejected={0: "refused"})


def test_rejected_lines_are_told_in_the_order_of_the_file():
    """What the store refuses of a chunk is told before what was wrong with lines read meanwhile."""
    store, told = Store(), list[int]()
    run = ImportRun(lambda line, _reason: told.append(line.number), store.take, understood)
    steps = run.run(lines(CHUNK + 10, first=2, early=CHUNK + 4, late=CHUNK + 6))
    # Given a chunk that is being stored, and two bad lines behind it
    next(steps)
    assert store.began.wait(30)
    assert (told, run.counts.stored_to) == ([2], 0)
    # When it has been stored
    store.may.set()
    assert run.counts is list(steps)[-1]
    # Then everything is told in its order: chunk by chunk, the bad lines of one before the refused
    assert told == [2, 1, CHUNK + 4, CHUNK + 6, CHUNK + 2]
    assert store.chunks == [CHUNK, 7]
    counts = run.counts
    assert (counts.read, counts.created, counts.rejected) == (CHUNK + 10, CHUNK + 5, 5)
    assert counts.stored_to == CHUNK + 10


def test_who_ends_early_waits_for_the_chunk_under_way():
    """Its lines are stored, and told to be; those that were read behind it are not."""
    store, told = Store(), list[int]()
    run = ImportRun(lambda line, _reason: told.append(line.number), store.take, understood)
    steps = run.run(lines(CHUNK + 10, bad=CHUNK + 3))
    next(steps)
    assert store.began.wait(30)
    store.may.set()
    steps.close()
    assert run.counts.stored_to == CHUNK
    assert (store.chunks, run.counts.created, told) == ([CHUNK], CHUNK - 1, [1])


def test_an_error_of_the_store_ends_the_reading():
    """It is raised where the next chunk would be handed over, and nothing of that is stored."""
    began = list[int]()

    def take(chunk: Sequence[NewConnection]) -> Registered:
        began.append(len(chunk))
        raise ZeroDivisionError

    run = ImportRun(lambda _line, _reason: None, take, understood)
    with pytest.raises(ZeroDivisionError):
        list(run.run(lines(3 * CHUNK)))
    assert (began, run.counts.stored_to, run.counts.created) == ([CHUNK], 0, 0)
