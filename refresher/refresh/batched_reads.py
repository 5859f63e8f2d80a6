"""Answers the reads of a flow; those of one event loop that come together share a statement."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import assert_never
from weakref import WeakKeyDictionary, WeakSet

from refresher.refresh.token_flow import ReadOutcome, Reads, ReadSlots, ReadToken, ReadWhole
from refresher.rules.history import WITHOUT_OUTCOME, PastEvent
from refresher.rules.served import RefreshResult
from refresher.rules.serving import Stored
from refresher.runtime.services import Services
from refresher.store import events, serving
from refresher.store.serving import Lane, Wanted

LANES = 2
"""How many statements one event loop has under way; more gather in the next one."""


@dataclass(slots=True)
class _Gathering:
    """What one event loop wants to read next; touched in that loop only."""

    free: list[Lane]
    wanted: dict[Wanted, asyncio.Future[Stored | None]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Reading:
    """Reads through the pool, from event loops in threads; stored tokens without a thread."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gatherings: WeakKeyDictionary[asyncio.AbstractEventLoop, _Gathering] = (
            WeakKeyDictionary()
        )
        self._lanes: WeakSet[Lane] = WeakSet()
        threads = max(1, services.settings.database_pool_size // 2)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reading")

    def close(self) -> None:
        """Ends threads and sessions."""
        self._threads.shutdown()
        for lane in self._lanes:
            lane.close()

    def read(self, step: Reads) -> object:
        """Returns the answer to one read."""
        with self._services.database.reading() as db:
            match step:
                case ReadWhole(wanted=wanted):
                    return serving.whole(db, wanted)
                case ReadToken(wanted=wanted):
                    return serving.stored(db, wanted)
                case ReadSlots(root_id):
                    return serving.slots_of(db, root_id)
                case ReadOutcome(root_id, lease_token):
                    return ended(events.outcome(db, root_id, lease_token), by_us=False)
                case _:
                    assert_never(step)

    async def read_async(self, step: Reads) -> object:
        """Returns the same; a token is read together with all that are asked for meanwhile.

        No read that began before the question answers it.
        """
        loop = asyncio.get_running_loop()
        if type(step) is not ReadToken:
            return await loop.run_in_executor(self._threads, self.read, step)
        gathering = self._gatherings.get(loop)
        if gathering is None:
            lanes = [Lane(self._services.database) for _ in range(LANES)]
            gathering = self._gatherings[loop] = _Gathering(lanes)
            self._lanes.update(lanes)
        answer = gathering.wanted.get(step.wanted)
        if answer is None:
            answer = gathering.wanted[step.wanted] = loop.create_future()
            if gathering.free:
                task = loop.create_task(self._gather(gathering, gathering.free.pop()))
                gathering.tasks.add(task)  # an event loop alone does not keep it alive
                task.add_done_callback(gathering.tasks.discard)
        return await asyncio.shield(answer)

    async def _gather(self, gathering: _Gathering, lane: Lane) -> None:
        while gathering.wanted:
            batch, gathering.wanted = gathering.wanted, {}
            try:
                found = await lane.stored_many(batch)
            except Exception as error:  # noqa: BLE001  it is raised where it was asked
                _fail(batch, error)
            else:
                for wanted, answer in batch.items():
                    if not answer.done():
                        answer.set_result(found.get(wanted))
        gathering.free.append(lane)  # in one breath with the look that nothing is wanted


def ended(event: PastEvent | None, *, by_us: bool) -> RefreshResult | None:
    """Returns the ending that an event tells of, None when there is none or the sweep made it."""
    if event is None or event.kind in WITHOUT_OUTCOME:
        return None
    return RefreshResult(event.kind, by_us, event.reason, event.http_status, event.elapsed_seconds)


def _fail(batch: dict[Wanted, asyncio.Future[Stored | None]], error: Exception) -> None:
    for answer in batch.values():
        if not answer.done():
            answer.set_exception(error)
            answer.exception()  # whoever asked may be gone
