"""Builds the services of one process from the settings: the one composition root.

Built once a process, at the first use: Dramatiq forks its workers after importing the actors, and
neither a pool nor a thread survives a fork.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.catalogue import Catalogue
from refresher.errors import DatabaseUnavailable
from refresher.outbound.egress import Egress
from refresher.outbound.exchange import Exchange
from refresher.outbound.mail_templates import Renderer
from refresher.outbound.mailer import MailSender, make_sender
from refresher.outbound.sender import SendLimits
from refresher.outbound.turns import Turns
from refresher.outbound.webhooks import WebhookSender
from refresher.rules.delivery import DeliveryPolicy
from refresher.rules.limits import BreakerPolicy
from refresher.rules.policy import Policy
from refresher.runtime import checkpoints
from refresher.runtime.cipher import Cipher, cipher_from
from refresher.runtime.clients import KnownSecrets
from refresher.runtime.couriers import Couriers
from refresher.runtime.deadlines import Lookout
from refresher.runtime.helpers import Helpers
from refresher.runtime.issuers import Findings
from refresher.runtime.limits import ClaimWindow, Pacer
from refresher.runtime.log import Seldom
from refresher.runtime.metrics import Meter
from refresher.runtime.parts import catalogue_from, database_from, policy_from
from refresher.runtime.restored import RestoreGuard
from refresher.settings import Settings, load
from refresher.store import workers
from refresher.store.pool import Pool
from refresher.store.spool import Spool

T = TypeVar("T")
DELIVERERS = 256
"""Threads that wait for webhooks' answers, so that none of those that refresh has to: one for each
message that may be under way, so that no batch waits for another's. They start when they are needed."""


@dataclass(frozen=True)
class Services:
    """What a refresh needs; `holder_id` names this process in leases and in `worker`."""

    settings: Settings
    database: Pool
    cipher: Cipher
    catalogue: Catalogue
    policy: Policy
    exchange: Exchange
    spool: Spool
    restored: RestoreGuard
    pacer: Pacer
    meter: Meter
    mailer: MailSender
    renderer: Renderer
    webhook_sender: WebhookSender
    delivery_policy: DeliveryPolicy
    couriers: Couriers
    holder_id: UUID
    claim_window: ClaimWindow = field(default_factory=ClaimWindow)
    seldom: Seldom = field(default_factory=Seldom)
    lookout: Lookout = field(default_factory=Lookout)
    known_secrets: KnownSecrets = field(default_factory=KnownSecrets)
    findings: Findings = field(default_factory=Findings)
    helpers: Helpers = field(default_factory=Helpers)
    stopping: threading.Event = field(default_factory=threading.Event)
    deliverers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(DELIVERERS, thread_name_prefix="deliverer")
    )

    def ask_to_stop(self) -> None:
        """Begins nothing any more, and waits for no server that hangs."""
        self.stopping.set()
        self.database.hurry()

    def outlast(self, work: Callable[[int], T]) -> T:
        """Returns `work(tried)`, tried again while Postgres is away and the leases in hand may last.

        Without that, these rows would wait for the end of their lease. An earlier try of the
        `tried` may have been committed.
        """
        give_up_at = time.monotonic() + self.settings.lease_seconds
        tried, wait = 0, 0.05
        while True:
            try:
                return work(tried)
            except DatabaseUnavailable as error:
                if self.stopping.is_set() or time.monotonic() + wait > give_up_at:
                    raise
                self.seldom.warning("waiting: postgres is away", why=str(error))
            time.sleep(wait)
            tried, wait = tried + 1, min(wait * 2, 1.0)

    def close(self) -> None:
        """Gives back threads and connections."""
        self.finish_deliveries()
        self.exchange.close()
        self.couriers.close()
        self.mailer.close()
        self.webhook_sender.close()
        self.database.close()

    def finish_deliveries(self) -> None:
        """Waits for webhooks under way, no longer than REFRESHER_SHUTDOWN_SECONDS; takes no more.

        What is cut off then is marked as tried, and goes again.
        """
        cut_off = threading.Timer(self.settings.shutdown_seconds, self.webhook_sender.close)
        cut_off.daemon = True
        cut_off.start()
        self.deliverers.shutdown(wait=True, cancel_futures=True)
        cut_off.cancel()


def build(settings: Settings) -> Services:
    """Returns services made from `settings`; raises `SettingsError` or `CatalogueError`."""
    holder_id = uuid7()
    database = database_from(settings, name=workers.session_name(holder_id))
    known = catalogue_from(settings, database)
    spool = Spool(settings)
    return Services(
        settings=settings,
        database=database,
        cipher=cipher_from(settings),
        catalogue=known,
        policy=policy_from(settings),
        exchange=exchange_from(settings),
        spool=spool,
        restored=RestoreGuard(database, spool),
        pacer=Pacer(known, capacity=int(settings.max_leased * settings.provider_share)),
        meter=Meter(known.names, enabled=settings.metrics, has_helpers=settings.helpers > 0),
        holder_id=holder_id,
        mailer=make_sender(settings),
        renderer=Renderer(settings.mail_templates),
        webhook_sender=webhook_sender_from(settings),
        delivery_policy=delivery_policy_from(settings),
        couriers=Couriers(egress_from(settings)),
    )


@lru_cache(maxsize=1)
def services() -> Services:
    """Returns this process's services, built from the environment at the first call."""
    return build(load())


def egress_from(settings: Settings) -> Egress:
    """Returns the rule of where requests may go, for whatever sends to a URL of somebody else."""
    return Egress(
        settings.allowed_private_networks, loopback=settings.allow_insecure_hosts == "loopback"
    )


def webhook_sender_from(settings: Settings) -> WebhookSender:
    """Returns what sends webhooks; nothing runs before the first one."""
    return WebhookSender(
        egress_from(settings),
        connect_seconds=min(settings.http_connect_seconds, settings.webhook_total_seconds),
        total_seconds=settings.webhook_total_seconds,
        max_in_flight=settings.webhook_max_in_flight,
        name=settings.sender,
    )


def delivery_policy_from(settings: Settings) -> DeliveryPolicy:
    """Returns the knobs of `rules/delivery.py`."""
    return DeliveryPolicy(
        retry_first_seconds=settings.webhook_retry_first_seconds,
        retry_coefficient=settings.webhook_retry_coefficient,
        retry_max_seconds=settings.webhook_retry_max_seconds,
        give_up_after_seconds=settings.webhook_give_up_after_seconds,
        breaker=BreakerPolicy(
            failures=settings.webhook_breaker_failures,
            pause_seconds=settings.webhook_breaker_pause_seconds,
            max_seconds=settings.webhook_breaker_max_seconds,
        ),
    )


def breaker_policy_from(settings: Settings) -> BreakerPolicy:
    """Returns the knobs of the circuit breakers."""
    return BreakerPolicy(
        failures=settings.breaker_failures,
        pause_seconds=settings.breaker_pause_seconds,
        max_seconds=settings.breaker_max_seconds,
    )


def exchange_from(settings: Settings) -> Exchange:
    """Returns what sends; it has begun nothing yet. One process alone has the cores to itself."""
    in_process = settings.integration_refresh.transport == "in_process"
    alone = in_process and not settings.helpers
    return Exchange(
        limits_from(settings),
        watcher=checkpoints,
        name=settings.sender,
        egress=egress_from(settings),
        turns=Turns(2 if alone else 1),
    )


def limits_from(settings: Settings) -> SendLimits:
    """Returns the limits of one exchange."""
    return SendLimits(
        connect_seconds=settings.http_connect_seconds,
        total_seconds=settings.http_total_seconds,
        max_bytes=settings.http_max_bytes,
        max_in_flight=settings.max_in_flight,
    )
