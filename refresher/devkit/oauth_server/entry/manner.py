"""How an entry's provider listens and speaks, over one server's state: `Manner`.

It is the entry's `Speech` at the token endpoint, and the revocation endpoint beside it.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from refresher.devkit.oauth_server.answers import (
    ODD_FIELDS,
    Answer,
    fault_answer,
    retry_after,
)
from refresher.devkit.oauth_server.entry import answer, decision
from refresher.devkit.oauth_server.entry.answer import NOT_AS_WRITTEN, Chosen, Words
from refresher.devkit.oauth_server.entry.arrived import arrived
from refresher.devkit.oauth_server.entry.consents import brings_code, read_code, read_second_step
from refresher.devkit.oauth_server.entry.people import People
from refresher.devkit.oauth_server.entry.places import NotAsWritten
from refresher.devkit.oauth_server.entry.request import Arrived, read_refresh, read_revocation
from refresher.devkit.oauth_server.faults import FaultRule
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.tokens import Denied, Issued, Reply
from refresher.rules.providers import Provider, Strategy

_BYTES_PER_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """A request as the entry has it, or what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    token: str | None = field(default=None, repr=False)
    for_client: str | None = None
    code: str | None = None
    is_second: bool = False
    wrong: str | None = None


class Manner:
    """Reads, decides and says as `entry` does; `chosen` says which of several places."""

    def __init__(self, entry: Provider, state: ProviderState) -> None:
        """Decides with the given state."""
        self.entry = entry
        self.chosen = Chosen()
        self._state = state
        rate = entry.max_requests_per_second
        self.pace = None if rate is None else decision.Pace(rate)

    @property
    def people(self) -> People:
        """The side of the entry that people see."""
        return People(self.entry, self._state)

    async def read(self, request: Request) -> EntryRequest:
        """Returns what a request for a fresh token says."""
        try:
            return self._read(await arrived(request))
        except NotAsWritten as error:
            return EntryRequest(wrong=str(error))
        except ValueError:
            return EntryRequest(wrong="the body is not in the entry's form")

    def _read(self, came: Arrived) -> EntryRequest:
        consent = self.entry.connect
        if consent is not None and brings_code(self.entry, came):
            values = read_code(self.entry, came)
            return EntryRequest(values, code=values["code"])
        if consent is not None and consent.second_step is not None:
            with suppress(NotAsWritten):
                values = read_second_step(self.entry, came)
                if decision.is_short(values["access_token"], self._state):
                    return EntryRequest(values, values["access_token"], is_second=True)
        values = read_refresh(self.entry, came)
        own = self.entry.strategy is Strategy.LONG_LIVED_EXCHANGE
        token = values.get("access_token" if own else "refresh_token")
        if self.entry.is_minted:
            return EntryRequest(values, for_client=values.get("client_id", ""))
        return EntryRequest(values, token)

    def decide(self, asked: EntryRequest) -> Reply:
        """Answers it and moves the grant."""
        if asked.wrong is not None:
            return Denied(NOT_AS_WRITTEN, asked.wrong)
        now = self._state.clock.now()
        whose = asked.values.get("host", "") if self.entry.pause_scope == "host" else ""
        wait = self.pace.wait(whose, now) if self.pace else 0.0
        if wait > 0:
            return Denied("too_many_requests", "too_often", retry_after_seconds=wait)
        if asked.code is not None:
            return decision.redeem(self.entry, asked.values, self._state, now)
        if asked.is_second:
            return decision.second_step(asked.values, self._state, now)
        return decision.decide(self.entry, asked.values, self._state, now)

    def issued(self, issued: Issued, fault: FaultRule | None) -> Answer:
        """Says a good answer, odd where a fault makes it so."""
        state = self._state
        beside = self.people.beside_tokens(issued)
        body = answer.issued_body(
            self.entry, issued, state.options, self.chosen, state.clock.now(), beside
        )
        match fault.kind if fault is not None else None:
            case "other_names":
                body = {f"odd_{name}": value for name, value in body.items()}
            case "extra_fields":
                body = {**ODD_FIELDS, **body}
            case "huge":
                assert fault is not None
                body["padding"] = "x" * int(fault.megabytes * _BYTES_PER_MEGABYTE)
        return answer.encoded(200, body)

    def refused(self, _: EntryRequest, denied: Denied, /) -> Answer:
        """Says a refusal in the entry's words."""
        return answer.refused(self.entry, denied, self._state.options, self.chosen.error_way)

    def faulty(self, fault: FaultRule) -> Answer:
        """Says what a fault says in place of an answer."""
        now, way = self._state.clock.now(), self.chosen.error_way
        if fault.kind == "error":
            words = Words(fault.error, fault.error_description)
            return answer.encoded(fault.status, answer.error_body(self.entry, words, way))
        if fault.kind == "status_429":
            body = answer.error_body(self.entry, Words("too_many_requests"), way)
            return answer.encoded(429, body, retry_after(fault, now))
        return fault_answer(fault, self._state.options, now)

    async def revoke(self, request: Request) -> Response:
        """Takes a token back: a refresh token takes its family with it."""
        try:
            values = read_revocation(self.entry, await arrived(request))
        except ValueError as error:
            return self._said(Denied(NOT_AS_WRITTEN, str(error)))
        refusal = decision.revoke(self.entry, values, self._state)
        return Response(status_code=200) if refusal is None else self._said(refusal)

    def _said(self, denied: Denied) -> Response:
        said = answer.refused(self.entry, denied, self._state.options, self.chosen.error_way)
        return Response(said.body, said.status, said.headers, said.media_type)
