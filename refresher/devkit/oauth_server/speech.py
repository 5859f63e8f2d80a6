"""How token requests are read and answered: the seam between the endpoint and its two manners.

`PlainSpeech` is RFC 6749; that of an entry of the catalogue is in `entry/`.
"""

from typing import Protocol, TypeVar

from starlette.requests import Request

from refresher.devkit.oauth_server.answers import (
    Answer,
    fault_answer,
    issued_answer,
    refused_answer,
)
from refresher.devkit.oauth_server.consent.exchange import redeem, told_beside
from refresher.devkit.oauth_server.decision import (
    GrantRequest,
    credentials,
    decide,
    parameters,
)
from refresher.devkit.oauth_server.faults import FaultRule
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import Denied, Issued, Reply


class Asked(Protocol):
    """What a token request turned out to be."""

    @property
    def token(self) -> str | None:
        """The token that it wants refreshed."""

    @property
    def for_client(self) -> str | None:
        """The client that wants a token for itself."""

    @property
    def code(self) -> str | None:
        """The code that it brings, empty where it should bring one; None for a refresh."""


A = TypeVar("A", bound=Asked)


class Speech(Protocol[A]):
    """How requests are read and answered: as RFC 6749 says, or as an entry of the catalogue does."""

    async def read(self, request: Request) -> A:
        """Returns what a request says."""

    def decide(self, asked: A) -> Reply:
        """Answers it and moves the grant."""

    def issued(self, issued: Issued, fault: FaultRule | None) -> Answer:
        """Says a good answer, odd where a fault makes it so."""

    def refused(self, asked: A, denied: Denied, /) -> Answer:
        """Says a refusal."""

    def faulty(self, fault: FaultRule) -> Answer:
        """Says what a fault says in place of an answer."""


class PlainSpeech:
    """RFC 6749, and the long-lived exchanges of one vendor."""

    def __init__(self, state: ProviderState) -> None:
        """Decides with the given state."""
        self._state = state

    async def read(self, request: Request) -> GrantRequest:
        """Returns what a request says."""
        return await read_token_request(request)

    def decide(self, asked: GrantRequest) -> Reply:
        """Answers it and moves the grant."""
        state = self._state
        resource = state.options.resource
        if resource and asked.params.get("resource") != resource:
            return Denied("invalid_target", "another_resource")
        return decide(
            asked,
            state.book,
            state.clients,
            options=state.options,
            now=state.clock.now(),
            dice=state.rotation_dice,
            redeem=lambda asked: redeem(state, asked.params, asked.client_id),
        )

    def issued(self, issued: Issued, fault: FaultRule | None) -> Answer:
        """Says a good answer."""
        beside = told_beside(self._state, issued)
        return issued_answer(issued, self._state.options, fault, beside)

    def refused(self, asked: GrantRequest, denied: Denied) -> Answer:
        """Says a refusal."""
        return refused_answer(denied, self._state.options, is_long_lived=asked.path != "/token")

    def faulty(self, fault: FaultRule) -> Answer:
        """Says what a fault says in place of an answer."""
        return fault_answer(fault, self._state.options, self._state.clock.now())


async def read_token_request(request: Request) -> GrantRequest:
    """Returns what a request says, from query, form or JSON, and HTTP Basic or the body."""
    query = request.scope["query_string"].decode("latin-1")
    content_type = request.headers.get("content-type", "")
    params = parameters(query, content_type, await request.body())
    client_id, secret = credentials(request.headers.get("authorization", ""), params)
    return GrantRequest(request.scope["path"], params, client_id, secret)
