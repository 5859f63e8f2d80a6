"""What all frameworks share of receiving webhooks: verify, call once for each event, answer.

An event comes at least once (docs/webhooks.md). Those that this process has handled are remembered,
the last ten thousand; across processes and restarts the application's own table must do it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from refresher.client.webhook import WebhookEvent, verify_webhook, webhook_secrets
from refresher.errors import SettingsError, UnverifiedWebhook
from refresher.rules.connection import Secret

MOST_BODY_BYTES = 1_000_000
"""Ours have some hundreds; who sends more is somebody else."""
MOST_REMEMBERED = 10_000
NOT_OURS = {"bad_signature": 401, "bad_time": 401}
OnEvent = Callable[[WebhookEvent], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told: 204, 400 for what is no webhook of ours, 401 for what is not signed."""

    status: int
    sentence: str = ""


TAKEN = Answer(204)
STILL_AT_IT = Answer(409, "this event is being worked on: send it again later")
TOO_LARGE = Answer(413, "this is larger than any event")


class Hooks:
    """Opens webhooks, each event once; safe to share between threads and tasks."""

    def __init__(self, on_event: OnEvent, secrets: tuple[Secret, ...]) -> None:
        self.on_event, self._secrets = on_event, secrets
        self._lock = Lock()
        self._done: OrderedDict[str, bool] = OrderedDict()

    def take(self, body: bytes, headers: Iterable[tuple[str, str]]) -> Answer:
        """Has an event handled here, once, and returns the answer; raises what handling raises."""
        found = self.opened(body, headers)
        if isinstance(found, Answer):
            return found
        with self.handling(found):
            self.on_event(found)
        return TAKEN

    def opened(self, body: bytes, headers: Iterable[tuple[str, str]]) -> WebhookEvent | Answer:
        """Returns an event that is to be handled now, `with handling(event)`; or the answer."""
        try:
            event = verify_webhook(body, dict(headers), self._secrets)
        except UnverifiedWebhook as error:
            return Answer(NOT_OURS.get(error.code, 400), str(error))
        with self._lock:
            if event.id in self._done:
                return TAKEN if self._done[event.id] else STILL_AT_IT
            self._done[event.id] = False
            while len(self._done) > MOST_REMEMBERED:
                self._done.popitem(last=False)
        return event

    @contextmanager
    def handling(self, event: WebhookEvent) -> Iterator[None]:
        """Remembers an event that was handled, and forgets one that was not: it comes again."""
        try:
            yield
        except BaseException:
            with self._lock:
                self._done.pop(event.id, None)
            raise
        with self._lock:
            self._done[event.id] = True


def hooks_of(on_event: OnEvent | None, secret: str | Iterable[str] | None) -> Hooks | None:
    """Returns what receives webhooks, None where nobody wants them.

    Raises `SettingsError` where only one of function and secret is given.
    """
    if on_event is None and secret is None:
        return None
    if on_event is None:
        raise SettingsError("on_event is missing: there is a webhook secret, and nobody to call")
    return Hooks(on_event, webhook_secrets(secret))
