"""The transport `rabbitmq`: Dramatiq's own broker for RabbitMQ, as refresher uses it.

Messages are hints, so none is written to disk and none is waited for longer than RabbitMQ takes to
put it into its queue. What it loses with its memory is noticed by a marker that lies there in the same
way; who empties one queue by hand has its rows wait for the end of their lease.

Imported for those who choose it: pika comes with the extra `rabbitmq`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pika
from dramatiq import Message
from dramatiq.broker import Consumer
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.common import xq_name
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware
from pika import exceptions
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from refresher.errors import RedisUnavailable
from refresher.runtime.queues import NO_DELAYS

T = TypeVar("T")
TROUBLE = (exceptions.AMQPError, AMQPConnectorException, OSError)
DEAD_SECONDS = 3_600
"""How long a message is kept that a bug of ours ended."""
IN_MEMORY = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Transient.value)
OURS = {
    "connection_attempts": 1,  # a tick comes again by itself
    "socket_timeout": 5.0,
    "stack_timeout": 6.0,
    # Who is silent for two of them is gone: its messages go to others. That a server hangs is noticed
    # after four at the latest, before a tick that waits for it looks as if it had stopped for good.
    "heartbeat": 5,
    "blocked_connection_timeout": 5.0,
}
"""What the URL may say otherwise, in seconds where it is a time."""
IDLE_SECONDS = 1.0
"""How often an idle consumer looks whether it is to stop; a message comes at once."""


class RabbitAway(RedisUnavailable, ConnectionClosed):
    """RabbitMQ cannot be reached, or refuses us: a tick waits that out, and a Dramatiq consumer too."""


class RabbitBroker(RabbitmqBroker):
    """Dramatiq's broker, sending on one connection of this process and without delays.

    Dramatiq would open one for each thread that sends. Ours are many, each sends seldom, and who says
    nothing for a while is thrown out. Consumers have their own connections, as Dramatiq makes them.
    """

    def __init__(self, url: str, middleware: list[Middleware]) -> None:
        super().__init__(middleware=middleware)
        # Whatever it tells at length, with a traceback, reaches us as an exception, too.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self.parameters = parameters(url)
        self.namespace = "refresher"
        self._turn = threading.RLock()
        self._travelling = threading.local()
        self._line: tuple[BlockingConnection, BlockingChannel] | None = None
        self._declared: set[str] = set()

    @contextmanager
    def one_trip(self) -> Iterator[None]:
        """Keeps what this thread enqueues in the block, and sends it at its end, in order."""
        leaving = self._travelling.messages = []
        try:
            yield
        finally:
            del self._travelling.messages
        self._publish(leaving)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Enqueues a message, which is in its queue then, or on the way there.

        Raises `ValueError` for a delay, `RabbitAway` where RabbitMQ does not take it.
        """
        if delay is not None:
            raise ValueError(NO_DELAYS)
        self.emit_before("enqueue", message, delay)
        leaving = getattr(self._travelling, "messages", None)
        if leaving is None:
            self._publish([message])
        else:
            leaving.append(message)
        self.emit_after("enqueue", message, delay)
        return message

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Declares a queue, and none for delayed messages; RabbitMQ hears of it when it is used."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self.depth(queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """Returns a consumer of a queue, which is there then: somebody may have deleted it."""
        self.declare_queue(queue_name, ensure=True)
        idle = max(timeout, int(IDLE_SECONDS * 1_000))
        made: Consumer = self.consumer_class(self, self._name(queue_name), prefetch, idle)
        return made

    def depth(self, queue_name: str) -> int:
        """Returns how many messages wait; those that a worker has in hand do not count."""
        return self._speak(lambda channel: self._declare(channel, queue_name))

    def age_seconds(self, queue_name: str) -> None:
        """Returns None: to look at a message is to take it out of its queue."""

    def marker_stands(self, marker: str) -> bool:
        """Whether RabbitMQ kept its memory since the last call; sets the marker if not."""

        def look(channel: BlockingChannel) -> bool:
            name = self._name(marker)
            one = {"x-max-length": 1}
            found = channel.queue_declare(name, durable=True, arguments=one).method.message_count
            if not found:
                channel.basic_publish("", name, b"1", IN_MEMORY)
                channel.queue_declare(name, passive=True)
            return bool(found)

        return self._speak(look)

    def ask(self) -> None:
        """Returns when RabbitMQ answers at all, to this user and on this virtual host."""
        self._speak(lambda _: None)

    def try_out(self, queue_name: str) -> None:
        """Does once, on a queue that is gone at the end, what messages and markers need."""

        def trial(channel: BlockingChannel) -> None:
            name = self._name(queue_name)
            self._declare(channel, queue_name)
            channel.basic_publish("", name, b"1", IN_MEMORY)
            channel.queue_declare(name, passive=True)
            taken, _, _ = channel.basic_get(name)
            if taken is not None:
                channel.basic_ack(taken.delivery_tag)
            for made in (name, xq_name(name)):
                channel.queue_delete(made)

        self._speak(trial)

    def close(self) -> None:
        """Gives the connection back."""
        with self._turn:
            self._hang_up()

    def _publish(self, messages: Sequence[Message[Any]]) -> None:
        queues = dict.fromkeys(message.queue_name for message in messages)

        def send(channel: BlockingChannel) -> None:
            for queue in queues.keys() - self._declared:
                self._declare(channel, queue)
            for message in messages:
                name = self._name(message.queue_name)
                channel.basic_publish("", name, message.encode(), IN_MEMORY)
            for queue in queues:
                # A channel does one thing after the other: with this answer all of them have arrived.
                # One for each message, as publisher confirms are, takes four times as long.
                channel.queue_declare(self._name(queue), passive=True)

        self._speak(send)

    def _speak(self, work: Callable[[BlockingChannel], T]) -> T:
        """Returns what `work` does on the channel of this process; raises `RabbitAway`.

        It is done anew on a new connection where the one that is kept has ended: messages may arrive
        twice then, which to who claims is a stale delivery.
        """
        with self._turn:
            if self._line is not None:
                with suppress(*TROUBLE):
                    return work(self._line[1])
                self._hang_up()
            try:
                connection = BlockingConnection(self.parameters)
                self._line = (connection, connection.channel())
                return work(self._line[1])
            except TROUBLE as error:
                self._hang_up()
                sentence = f"rabbitmq cannot be used: {why(error)}"
                raise RabbitAway(sentence) from error  # type: ignore[no-untyped-call]

    def _hang_up(self) -> None:
        line, self._line = self._line, None
        self._declared.clear()
        if line is not None and line[0].is_open:
            with suppress(*TROUBLE):
                line[0].close()

    def _declare(self, channel: BlockingChannel, queue: str) -> int:
        """Declares a queue with the one for its dead letters; returns how many messages it has."""
        name = self._name(queue)
        dead = {"x-message-ttl": DEAD_SECONDS * 1_000}
        channel.queue_declare(xq_name(name), durable=True, arguments=dead)
        arguments = self._build_queue_arguments(name)  # type: ignore[no-untyped-call]
        there = channel.queue_declare(name, durable=True, arguments=arguments)
        self._declared.add(queue)
        return int(there.method.message_count)

    def _name(self, queue: str) -> str:
        return f"{self.namespace}:{queue}"


def parameters(url: str) -> pika.URLParameters:
    """Returns how to connect, with our times where the URL has none; raises `ValueError`."""
    made = pika.URLParameters(url)
    given = parse_qs(urlsplit(url).query)
    for name, value in OURS.items():
        if name not in given:
            setattr(made, name, value)
    if "client_properties" not in given:
        made.client_properties = {"connection_name": "refresher"}
    return made


def why(error: BaseException) -> str:
    """Returns what is the matter, in words that have no address and no password."""
    code = getattr(error, "reply_code", None)
    if isinstance(error, exceptions.ProbableAuthenticationError | exceptions.AuthenticationError):
        return "it refuses the user or the password"
    if isinstance(error, exceptions.ProbableAccessDeniedError) or code == 530:
        return "there is no such virtual host, or the user may not use it"
    if isinstance(error, exceptions.ChannelClosedByBroker) and code == 403:
        return "the user lacks a permission on queues that begin with refresher:"
    if isinstance(error, exceptions.ConnectionBlockedTimeout):
        return "it takes no messages, as its memory or disk is full"
    if isinstance(error, OSError) or type(error) is exceptions.AMQPConnectionError:
        return "nothing answers at its address"
    return type(error).__name__
