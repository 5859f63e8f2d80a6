"""Carries the same steps out with threads and with asyncio.

Steps are a generator: what it yields is called with the SDK, and what comes of that is sent back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast

from refresher.client import AsyncRefresher, Refresher
from refresher.errors import RefresherError

T = TypeVar("T")
Steps = Generator[Callable[[Any], Any], Any, T]
"""Yields what is done with a `Refresher`, or awaited with an `AsyncRefresher`."""


def run(refresher: Refresher, steps: Steps[T]) -> T:
    """Carries steps out with a `Refresher`."""
    try:
        step = next(steps)
        while True:
            try:
                answer = step(refresher)
            except RefresherError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return cast("T", done.value)


async def run_async(refresher: AsyncRefresher, steps: Steps[T]) -> T:
    """Carries steps out with an `AsyncRefresher`."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await step(refresher)
            except RefresherError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as done:
        return cast("T", done.value)
