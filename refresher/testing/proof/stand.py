"""Where an entry is tried: the OAuth server that plays it, an account's tokens, and a clock.

What goes out is what a sender would send (`outbound/sender.write`), what comes back is what it would
hand over; between them stand no socket, no thread and no event loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from starlette.responses import Response
from starlette.types import ASGIApp

from refresher.devkit.oauth_server import FaultRule, Options
from refresher.devkit.oauth_server.entry import Manner
from refresher.devkit.oauth_server.entry.decision import options_of
from refresher.devkit.oauth_server.entry.request import NO_PLUGINS
from refresher.devkit.oauth_server.entry.routes import EntryRoutes
from refresher.devkit.oauth_server.faults import FaultKind
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import Family, Issued
from refresher.outbound.sender import write
from refresher.rules import policy
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Reply, Secret
from refresher.rules.decision import Before, Decision, decide, new_life
from refresher.rules.fillings import Stamp
from refresher.rules.outcomes import Outcome, Prolonged, Refreshed, classify
from refresher.rules.placeholders import SAMPLES, UnbuildableRequest
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider, Strategy
from refresher.rules.requests import build_request
from refresher.rules.revocations import build_revocation
from refresher.testing.proof.apps import CLIENT_ID, SECRET, apps_of
from refresher.testing.proof.line import send

_LINK = "https://app.example/callback"


class Unprovable(ValueError):
    """An entry cannot be tried as it is; says what is missing."""


@dataclass(frozen=True)
class Held:
    """What is stored of one account."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    lifetime_seconds: float
    left_seconds: float
    refresh_token_left_seconds: float | None = None


@dataclass(frozen=True)
class Asked:
    """One exchange: what came back, what it means, and what follows."""

    reply: Reply
    outcome: Outcome
    decision: Decision

    def __str__(self) -> str:
        """Returns it for a sentence; the tokens in it are this server's own."""
        body = self.reply.body[:300].decode(errors="replace")
        return f"{type(self.outcome).__name__} ({self.reply.status} {body!r})"


class Stand:
    """One provider with one account, `held`."""

    def __init__(
        self,
        entry: Provider,
        host: str | None = None,
        placeholders: Mapping[str, str] | None = None,
    ) -> None:
        if entry.strategy is Strategy.PLUGIN:
            raise Unprovable(NO_PLUGINS)
        if entry.is_looked_up:
            raise Unprovable("its endpoints are its issuer's to tell: give token_url to play it")
        self.entry = entry
        self.host = host or entry.default_host or entry.host_example
        known = {**entry.default_placeholders, **(placeholders or {})}
        self.placeholders = {
            name: known[name] if name in known else _sample(name, pattern)
            for name, pattern in entry.placeholders.items()
        }
        # A provider that may prolong a token may answer with another, too: all promises but one do so.
        own = {"client_id": CLIENT_ID, "client_secret": SECRET, "prolongs": False}
        self.state = ProviderState(replace(Options(), **options_of(entry) | own))
        self.state.clock.stop()
        self.apps = apps_of(entry)
        self.state.keys[CLIENT_ID] = self.apps.public_key
        self.manner = Manner(entry, self.state)
        self.app: ASGIApp = EntryRoutes(
            self.manner, self.state, Response("there is nothing here", 404)
        )
        self.held = self.connect("ann")
        self._asked_at = 0.0

    @property
    def now(self) -> float:
        """The time in seconds since 1970."""
        return self.state.clock.now()

    @property
    def pace_key(self) -> str:
        """For which host requests are counted."""
        return self.host or ""

    def pass_time(self, seconds: float) -> None:
        """Moves the clock."""
        self.state.clock.shift_seconds += seconds

    def change(self, **options: Any) -> None:
        """Changes the server's options."""
        self.state.options = replace(self.state.options, **options)

    def connect(self, name: str) -> Held:
        """Consents on behalf of an account."""
        with_refresh_token = self.entry.strategy is Strategy.REFRESH_TOKEN
        issued = self.state.book.grant(
            name, self.now, self.state.options, has_refresh_token=with_refresh_token
        )
        return _held(issued)

    @property
    def provider(self) -> Provider:
        """The entry that the server plays: the same, unless somebody tries what a difference does."""
        return self.manner.entry

    @property
    def family(self) -> Family:
        """What the server knows of the account."""
        if self.entry.is_minted:
            return self.state.book.accounts[f"client:{CLIENT_ID}"]
        return self.state.book.accounts["ann"]

    def newest(self) -> tuple[str, str | None]:
        """Returns the pair that is the newest at the server."""
        return self.state.book.current_tokens(self.family, self.state.options)

    def wait_until_due(self) -> None:
        """Moves the clock to when our schedule refreshes; a grant that is over by then begins anew."""
        known, wait = self.state.book.accounts.get("ann"), self._due_in()
        ends = None if known is None or self.entry.is_minted else known.end_of_refresh_token
        if ends is not None and self.now + wait >= ends:
            self.held = self.connect("ann")
            wait = self._due_in()
        self.pass_time(wait)

    def _due_in(self) -> float:
        held = self.held
        return policy.due_in(
            Policy(),
            self.entry,
            held.lifetime_seconds,
            held.left_seconds,
            0.5,
            held.refresh_token_left_seconds,
        )

    def arm(self, kind: FaultKind, **rule: Any) -> None:
        """Has the next request meet a fault."""
        self.state.board.clear()
        self.state.board.add(FaultRule(kind, count=1, **rule))

    def ask(
        self,
        held: Held | None = None,
        client: ClientCredentials | None = None,
        *,
        unknown_outcomes: int = 0,
        doubted: bool = False,
        at_once: bool = False,
    ) -> Asked:
        """Asks for a fresh token, and stores what comes in `held` where it is the account's own.

        Waits for its turn before, unless `at_once`.
        """
        held, is_own = held or self.held, held is None
        if not at_once:
            self.wait_for_turn()
        try:
            request = build_request(
                self.entry,
                client=client or self.apps.known,
                access_token=Secret(held.access_token),
                refresh_token=(held.refresh_token and Secret(held.refresh_token)) or None,
                scopes=("read", "write"),
                host=self.host,
                placeholders=self.placeholders,
                draw=self.draw,
            )
        except UnbuildableRequest as why:
            raise Unprovable(f"no request can be built: {why}") from None
        reply = send(self.app, self.state.connections, write(request))
        if not at_once:
            self._asked_at = self.now
        outcome = classify(self.entry, reply, self.now)
        before = Before(0, unknown_outcomes, 60.0, None, self.now, 0.5, 0.5, doubted)
        decision = decide(outcome, reply, before, self.entry, Policy())
        if is_own and isinstance(outcome, Refreshed | Prolonged):
            self.held = self._stored(outcome, held)
        return Asked(reply, outcome, decision)

    def wait_for_turn(self) -> None:
        """Waits as the scheduler does: for the provider's pace, and for that of the grant."""
        if self.entry.max_requests_per_second:
            self.pass_time(1 / self.entry.max_requests_per_second)
        self.pass_time(max(0.0, self._asked_at + self.entry.refresh_interval_seconds - self.now))

    def give_back(self) -> Reply | None:
        """Gives the account's token back, None where the entry says of nowhere."""
        refresh_token = self.held.refresh_token
        request = build_revocation(
            self.entry,
            client=self.apps.known,
            access_token=Secret(self.held.access_token),
            refresh_token=Secret(refresh_token) if refresh_token else None,
            host=self.host,
            placeholders=self.placeholders,
            draw=self.draw,
        )
        return None if request is None else send(self.app, self.state.connections, write(request))

    def draw(self) -> Stamp:
        """Returns the time and a number that nobody had before."""
        return Stamp(self.now, str(uuid4()))

    def _stored(self, outcome: Refreshed | Prolonged, held: Held) -> Held:
        grant = outcome.grant
        before = Before(0, 0, 60.0, held.lifetime_seconds, self.now, 0.5, 0.5)
        life = new_life(grant, 0.0, before, self.entry)
        refresh_token = grant.refresh_token.reveal() if grant.refresh_token else None
        return Held(
            grant.access_token.reveal() or held.access_token,
            refresh_token or held.refresh_token,
            life.lifetime_seconds,
            life.left_seconds,
            life.refresh_token_left_seconds,
        )


def wrong_tokens(stand: Stand, asked: Asked) -> Iterator[str]:
    """Yields what differs between what we have stored and what the server has given."""
    if not isinstance(asked.outcome, Refreshed):
        yield f"no token was read: {asked}"
        return
    access_token, refresh_token = stand.newest()
    if asked.outcome.grant.access_token.reveal() != access_token:
        yield f"another access token was read than the newest: {asked}"
    claims = [stand.state.book.claim(t or "") for t in (stand.held.refresh_token, refresh_token)]
    if claims[0] != claims[1] and stand.entry.strategy is Strategy.REFRESH_TOKEN:
        yield f"another refresh token is stored than the newest: {asked}"


def _held(issued: Issued) -> Held:
    return Held(
        issued.access_token,
        issued.refresh_token,
        issued.expires_in_seconds,
        issued.expires_in_seconds,
        issued.refresh_token_expires_in_seconds,
    )


def _sample(name: str, pattern: str) -> str:
    """Returns a value that a placeholder's pattern takes: a sample, or one of its own choices."""
    choices = [re.sub(r"\\(.)", r"\1", choice) for choice in pattern.strip("()").split("|")]
    for value in (*SAMPLES, *choices, _LINK):
        if re.fullmatch(pattern, value):
            return value
    raise Unprovable(f"give a value for {{{name}}}, whose pattern is {pattern}")
