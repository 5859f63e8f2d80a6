"""One attempt at one connection: its request, and what its reply comes to.

The part of the story in which tokens are in the clear. `steps.py` calls it for each row between the
steps that are done for many rows at once; it touches neither database nor network.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from traceback import extract_tb
from typing import Any
from uuid import UUID, uuid4

from refresher.outbound.sender import Wire
from refresher.refresh import plugged
from refresher.refresh.sealing import kept_answer, sealed_life
from refresher.rules import policy as when
from refresher.rules import recording
from refresher.rules.bodies import header, text_of
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Connection, ParkReason, Secret, value
from refresher.rules.decision import Before, Decision, decide
from refresher.rules.explanation import PACE
from refresher.rules.faults import place_of_fault, waits_for
from refresher.rules.fillings import Stamp, tokens_named
from refresher.rules.notices import end_is_news
from refresher.rules.outcomes import UNREAD, Malformed, Outcome, Reply, Unreadable, classify
from refresher.rules.plugins import PluginFailed
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Strategy
from refresher.rules.requests import TokenRequest, build_request
from refresher.rules.unread import looks_like_a_grant
from refresher.runtime import checkpoints
from refresher.runtime.cipher import Cipher
from refresher.runtime.clients import KnownSecrets, OtherSecret
from refresher.runtime.clients import opened as open_client
from refresher.store.pauses import PauseSeen
from refresher.store.reload import Reloaded
from refresher.store.settlement import Settlement


@value
class Attempt:
    """A row that may be refreshed, with its provider and our own clock at the reload."""

    row: Reloaded
    provider: Provider
    reloaded_at: float

    @property
    def elapsed_seconds(self) -> float:
        """The time since the reload: added to the database's clock of then, it is now."""
        return time.monotonic() - self.reloaded_at

    def stamp(self) -> Stamp:
        """Returns the time by the database's clock, and a number that no other request has."""
        return Stamp(self.row.now.timestamp() + self.elapsed_seconds, str(uuid4()))


NONE_NAMED: frozenset[str] = frozenset()
DOUBTED = "grant:refused once"
"""What a row waits for whose grant is asked once more."""
Clients = dict[UUID, ClientCredentials]


def request(
    cipher: Cipher, attempt: Attempt, clients: Clients, known: KnownSecrets
) -> tuple[TokenRequest | Wire, OtherSecret | None]:
    """Returns the request, with only those tokens opened that it carries, and what may follow it.

    A plug-in has both tokens.

    `clients` are the apps that were opened for others of the same batch, for a batch has few. Raises
    `CannotDecrypt` or `UnbuildableRequest`.
    """
    connection, app = attempt.row.connection, attempt.row.connection.app
    client = clients.get(app.id) if app else None
    if app and client is None:
        client = clients[app.id] = open_client(cipher, app)
    provider = attempt.provider
    access_token, refresh_token = _tokens(cipher, provider, connection)
    if provider.strategy is Strategy.PLUGIN:
        tokens = {"access_token": access_token, "refresh_token": refresh_token}
        return plugged.request(provider, connection, client, tokens, attempt.stamp()), None

    def build(shown: ClientCredentials | None, draw: Callable[[], Stamp]) -> TokenRequest:
        return build_request(
            provider,
            client=shown,
            access_token=access_token,
            refresh_token=refresh_token,
            scopes=connection.scopes,
            host=connection.host,
            placeholders=connection.placeholders,
            draw=draw,
        )

    if app is None or client is None or client.previous_client_secret is None:
        return build(client, attempt.stamp), None
    draw = cache(attempt.stamp)  # the same for both requests
    other = OtherSecret(known, app, provider, client, lambda shown: build(shown, draw))
    return other.request, other


def _tokens(
    cipher: Cipher, provider: Provider, connection: Connection
) -> tuple[Secret | None, Secret | None]:
    """Returns the access token and the refresh token, opened where the request carries them."""
    strategy, named = provider.strategy, NONE_NAMED
    if provider.headers or provider.parameters or provider.query:
        named = tokens_named(provider.headers, provider.parameters, provider.query)
    is_plugin = strategy is Strategy.PLUGIN
    opens_access = is_plugin or strategy is Strategy.LONG_LIVED_EXCHANGE or "access_token" in named
    opens_refresh = is_plugin or strategy is Strategy.REFRESH_TOKEN or "refresh_token" in named
    access = connection.access_token if opens_access else None
    refresh = connection.refresh_token if opens_refresh else None
    return (
        cipher.open(access, connection.id, "access_token") if access else None,
        cipher.open(refresh, connection.id, "refresh_token") if refresh else None,
    )


def as_settlement(cipher: Cipher, policy: Policy, attempt: Attempt, reply: Reply) -> Settlement:
    """Returns what is to be written for `reply`: classified, decided, and its tokens sealed."""
    row = attempt.row
    before, read = _before(attempt), plugged.read(attempt.provider, reply)
    outcome = classify(attempt.provider, read, before.now_epoch_seconds)
    checkpoints.reach("classified", outcome)
    decision = decide(outcome, reply, before, attempt.provider, policy)
    checkpoints.reach("decided", decision)
    life, fault = decision.new_life, decision.fault
    place = place_of_fault(attempt.provider, row.connection, fault) if fault else None
    return _settlement(
        cipher, attempt, reply, outcome, decision,
        dead=decision.event == "revoked",
        new=sealed_life(cipher, row, decision),
        cause=decision.cause,
        detail=decision.detail,
        waits_for=DOUBTED if decision.doubted else waits_for(place, fault),
        fault=fault,
        place=place,
        end_is_news=end_is_news(
            slides=attempt.provider.refresh_token_clock == "sliding",
            left_before_seconds=row.refresh_token_left_seconds,
            left_after_seconds=life.refresh_token_left_seconds if life else None,
        ),
        recorded=recording.of_exchange(attempt.provider, read, outcome, before),
    )  # fmt: skip


def _settlement(
    cipher: Cipher,
    attempt: Attempt,
    reply: Reply,
    outcome: Outcome,
    decision: Decision,
    **more: Any,
) -> Settlement:
    row, elapsed = attempt.row, attempt.elapsed_seconds
    return Settlement(
        row=row,
        kind=decision.event,
        due_in_seconds=decision.next_due_in_seconds,
        attempt=decision.attempt,
        unknown_outcomes=decision.unknown_outcomes,
        park_reason=decision.park_reason if decision.next_due_in_seconds is None else None,
        reason=decision.reason,
        http_status=reply.status,
        elapsed_seconds=elapsed,
        begun_at=row.now,
        exchange_seconds=reply.elapsed_seconds,
        kept=kept_answer(cipher, row, elapsed, reply, outcome),
        **more,
    )


def understood(
    cipher: Cipher, policy: Policy, attempt: Attempt, reply: Reply
) -> tuple[Settlement | None, str | None]:
    """Returns what is to be written; where a bug stumbled, the answer kept or None, and what it was."""
    try:
        return as_settlement(cipher, policy, attempt, reply), None
    except Exception as error:  # noqa: BLE001  the others are in hand still
        with suppress(Exception):  # the same bug, perhaps
            whose = str(error) if isinstance(error, PluginFailed) else "an error of ours"
            made = _unexplained(cipher, policy, attempt, reply, whose)
            # What a plug-in stumbles over has its reason, and waits like any trouble.
            told = made.kept or isinstance(error, PluginFailed)
            return (made if told else None), _stumbled(error)
        return None, _stumbled(error)


def _stumbled(error: Exception) -> str:
    """Returns kind and place of an error: its own words may quote the reply. A plug-in's name it."""
    if isinstance(error, PluginFailed):
        return str(error)
    place = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {place.name}, line {place.lineno}"


def _unexplained(
    cipher: Cipher, policy: Policy, attempt: Attempt, reply: Reply, whose: str
) -> Settlement:
    """Returns what is written for a reply that a bug stumbled over: it is kept, and waits.

    Where it may be a grant it counts as one that could not be read: nothing else is known of it.
    """
    why, row = f"{UNREAD}: {whose}", attempt.row
    outcome: Outcome = Unreadable(why, reply.status or 0)
    decision = Decision(
        "unreadable", None, row.attempt + 1, row.unknown_outcomes + 1, why,
        park_reason=ParkReason.UNREAD_ANSWER,
    )  # fmt: skip
    with suppress(Exception):  # the bug may be there
        content_type = header(reply.headers, "content-type")
        if not looks_like_a_grant(text_of(reply.body, reply.headers), content_type):
            outcome = Malformed(why, reply.status)
        decision = decide(outcome, reply, _before(attempt), attempt.provider, policy)
    return _settlement(cipher, attempt, reply, outcome, decision)


def parked(
    row: Reloaded, reason: ParkReason, detail: str | None = None, *, begun: bool = False
) -> Settlement:
    """Returns the settlement of a row that leaves the schedule without a request.

    `begun` tells that it was found out after the begin, by trying; otherwise the guard said no.
    """
    expired = row.left_seconds is not None and row.left_seconds <= 0
    return Settlement(
        row=row,
        kind="parked",
        due_in_seconds=None,
        attempt=row.attempt,
        unknown_outcomes=row.unknown_outcomes,
        park_reason=reason,
        dead=reason is ParkReason.RECONNECT_REQUIRED and row.connection.status == "active",
        reason=detail or reason,
        begun_at=row.now if begun else None,
        recorded=None if begun else recording.of_guard(row.connection, expired=expired),
    )


def postponed(row: Reloaded, pause: PauseSeen) -> Settlement:
    """Returns the settlement of a row that met a pause: due at its end, nothing counted.

    Whose refusal the pause follows from comes last, so that another probes.
    """
    last = str(row.connection.id) in pause.witnesses
    return _postponed(row, pause.name, pause.left_seconds, last=last, waits_for=pause.name)


def paced(row: Reloaded, left_seconds: float) -> Settlement:
    """Returns the settlement of a row whose grant may be asked for a token in so many seconds only."""
    return _postponed(row, f"{PACE}{row.connection.provider}", left_seconds)


def _postponed(
    row: Reloaded,
    name: str,
    left_seconds: float,
    *,
    last: bool = False,
    waits_for: str | None = None,
) -> Settlement:
    dice = 1.0 if last else when.stable_spread(row.connection.id, row.claim.lease_token)
    return Settlement(
        row=row,
        kind="postponed",
        due_in_seconds=when.after_pause(max(0.0, left_seconds), dice),
        attempt=row.attempt,
        unknown_outcomes=row.unknown_outcomes,
        postponed_by=name,
        waits_for=waits_for,
        recorded={"pause_left": round(left_seconds, 3), **({"last": True} if last else {})},
    )


def _before(attempt: Attempt) -> Before:
    row, connection, elapsed = attempt.row, attempt.row.connection, attempt.elapsed_seconds
    return Before(
        attempt=row.attempt,
        unknown_outcomes=row.unknown_outcomes,
        left_seconds=0.0 if row.left_seconds is None else row.left_seconds - elapsed,
        last_lifetime_seconds=connection.lifetime_seconds,
        now_epoch_seconds=row.now.timestamp() + elapsed,
        spread=when.stable_spread(connection.id, connection.credential_version + 1),
        dice=when.stable_spread(connection.id, row.claim.lease_token),
        doubted=row.waits_for == DOUBTED,
    )
