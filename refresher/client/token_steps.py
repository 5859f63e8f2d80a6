"""What becomes of one request: a token put in, and put right after a 401. It knows no HTTP library.

One generator, which the auth of every library drives: it yields what it wants, a token or an answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

from refresher.errors import RefresherError, TokenUnavailable
from refresher.rules.served import Served

REMEMBER_SECONDS = 5.0
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Want:
    """A token, which is not the one with this fingerprint."""

    rejected: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """The request, with this token; what is sent back is whether the server refused it."""

    served: Served


Steps = Generator[Want | Send, Any, None]


class Memory:
    """Remembers the token of one connection for a moment; safe to share between threads."""

    def __init__(self, remember_seconds: float, clock: Callable[[], float]) -> None:
        self._remember_seconds = remember_seconds
        self._clock = clock
        self._remembered: tuple[Served, float] | None = None

    def steps(self, is_repeatable: Callable[[], bool], sent: Served | None = None) -> Steps:
        """Yields what one request needs; `sent`, if its server has refused it with this token.

        Whether it is repeatable is asked after a 401. Raises `TokenUnavailable` where only a person
        can help; other trouble leaves the caller the 401.
        """
        if sent is None:
            sent = self._known()
            if sent is None:
                sent = yield Want()
                self._keep(sent)
            if not (yield Send(sent)):
                return
        self._forget(sent)
        try:
            fresh = yield Want(sent.fingerprint)
        except TokenUnavailable as error:
            if error.retry_after_seconds is None:
                raise
            return
        except RefresherError:
            return
        self._keep(fresh)
        if fresh.fingerprint != sent.fingerprint and is_repeatable():
            yield Send(fresh)

    def _known(self) -> Served | None:
        remembered = self._remembered
        return remembered[0] if remembered and self._clock() < remembered[1] else None

    def _keep(self, served: Served) -> None:
        """Remembers a good token for a moment, and never for more than half of what it has left."""
        left = served.expires_in_seconds
        seconds = self._remember_seconds if left is None else min(self._remember_seconds, left / 2)
        self._remembered = None if served.stale else (served, self._clock() + seconds)

    def _forget(self, refused: Served) -> None:
        """Forgets a refused token; another caller may have put the next one in its place."""
        remembered = self._remembered
        if remembered and remembered[0].fingerprint == refused.fingerprint:
            self._remembered = None


def until_sent(
    steps: Steps, ask: Callable[..., Served], *, is_refused: bool | None = None
) -> Send | None:
    """Asks for the tokens that are wanted; returns what is to be sent next, None at the end."""
    step = _next(steps, is_refused)
    while isinstance(step, Want):
        try:
            served = ask(rejected=step.rejected)
        except RefresherError as error:
            step = _next(steps, failed=error)
        else:
            step = _next(steps, served)
    return step


async def until_sent_async(
    steps: Steps, ask: Callable[..., Awaitable[Served]], *, is_refused: bool | None = None
) -> Send | None:
    """Does the same for asyncio."""
    step = _next(steps, is_refused)
    while isinstance(step, Want):
        try:
            served = await ask(rejected=step.rejected)
        except RefresherError as error:
            step = _next(steps, failed=error)
        else:
            step = _next(steps, served)
    return step


def _next(
    steps: Steps, answer: object = None, *, failed: RefresherError | None = None
) -> Want | Send | None:
    """Returns what is wanted next, None at the end."""
    try:
        return steps.send(answer) if failed is None else steps.throw(failed)
    except StopIteration:
        return None
