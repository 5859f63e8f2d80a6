"""The promise of `[connect]`: a consent, from the URL that a person leaves for to whose it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt

from refresher.devkit.oauth_server.entry.identity import account_id
from refresher.outbound.sender import write
from refresher.rules.answers import read_answer, read_body
from refresher.rules.authorize import (
    Asking,
    Code,
    Party,
    asked_scopes,
    authorize_url,
    code_request,
    code_url,
    second_request,
    userinfo_request,
    uses_pkce,
)
from refresher.rules.bodies import at
from refresher.rules.connection import Reply, Secret
from refresher.rules.consent import Consent
from refresher.rules.outcomes import Refreshed, classify
from refresher.rules.paths import ways
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.rules.requests import TokenRequest
from refresher.testing.proof.line import send, visit
from refresher.testing.proof.stand import Stand, Unprovable

_BACK = "https://connect.example/connect/callback/here"
_STATE, _VERIFIER, _NONCE = "s" * 43, "v" * 43, "n" * 43
_UNJUDGED: Any = {"verify_signature": False}


def connects(stand: Stand) -> Iterator[str]:
    """A person is sent there, the code that comes back gives tokens, and they tell whose they are."""
    consent = stand.entry.connect
    if consent is None or stand.entry.authorize_url is None:
        return
    for other_account in (False, True) if consent.other_account else (False,):
        yield from _Consent(stand, other_account=other_account).faults()


@dataclass
class _Consent:
    """One person's way, `account` all along."""

    stand: Stand
    other_account: bool
    account: str = "zoe"

    def faults(self) -> Iterator[str]:
        """Yields what went otherwise, and goes no further then."""
        pairs = self._callback()
        if isinstance(pairs, str):
            yield f"the authorize URL was not understood: {pairs}"
            return
        answer = self._sent(code_request(self._party(pairs), self._code(pairs), self.stand.draw))
        grant = classify(self._reading, answer, self.stand.now)
        if not isinstance(grant, Refreshed):
            yield f"the code was not understood: {answer.status} {answer.body[:300]!r}"
            return
        token = grant.grant.access_token
        if (step := self._consent.second_step) is not None:
            longer = self._sent(second_request(self._party(pairs), step, token))
            grant = classify(self.stand.entry, longer, self.stand.now)
            if not isinstance(grant, Refreshed):
                yield f"the second step was not understood: {longer.status} {longer.body[:300]!r}"
                return
            token = grant.grant.access_token
        yield from self._wrong_account(pairs, answer, token)

    def _callback(self) -> dict[str, str] | str:
        entry = self.stand.entry
        asking = Asking(
            redirect_uri=_BACK,
            state=Secret(_STATE),
            verifier=Secret(_VERIFIER),
            nonce=Secret(_NONCE),
            scopes=asked_scopes(entry, ("read", "write")),
            hint=self.account,
            other_account=self.other_account,
        )
        self.stand.change(consent_account=self.account)
        try:
            url = authorize_url(self._party({}), asking)
        except UnbuildableRequest as why:
            raise Unprovable(f"nobody can be sent there: {why}") from None
        status, there = visit(self.stand.app, self.stand.state.connections, url)
        pairs = dict(parse_qsl(urlsplit(there).query, keep_blank_values=True))
        if status != 302 or pairs.get("state") != _STATE or "code" not in pairs:
            return f"{status} {there[:300]}"
        return pairs

    def _wrong_account(
        self, pairs: Mapping[str, str], answer: Reply, token: Secret
    ) -> Iterator[str]:
        party, identity = self._party(pairs), self._consent.identity
        told: dict[str, object] = {"callback": pairs}
        told["answer"] = read_answer(self._reading, answer.body, answer.headers)
        if "id_token" in identity.found_in:
            told["id_token"] = _claims(at(told["answer"], ("id_token",)))
        if "userinfo" in identity.found_in:
            reply = self._sent(userinfo_request(party, token))
            told["userinfo"] = read_body(reply.body, (), reply.headers)
        expected = account_id(self.stand.entry, self.account, party.host)
        for place in identity.found_in:
            parts = [str(at(told[place], path)) for path in identity.paths]
            if "/".join(parts) != expected:
                yield f"the account is told as {'/'.join(parts)} in {place}, not {expected}"

    def _code(self, pairs: Mapping[str, str]) -> Code:
        verifier = Secret(_VERIFIER) if uses_pkce(self.stand.entry) else None
        return Code(Secret(pairs["code"]), code_url(self._party(pairs)), _BACK, verifier)

    def _party(self, pairs: Mapping[str, str]) -> Party:
        stand = self.stand
        host = pairs.get(self._consent.host_from_callback or "", stand.host)
        return Party(stand.entry, stand.apps.known, host, stand.placeholders)

    def _sent(self, request: TokenRequest) -> Reply:
        self.stand.wait_for_turn()
        return send(self.stand.app, self.stand.state.connections, write(request))

    @property
    def _consent(self) -> Consent:
        assert self.stand.entry.connect is not None
        return self.stand.entry.connect

    @property
    def _reading(self) -> Provider:
        """The entry as it reads the answer to a code."""
        path = ways(self._consent.code_answer_path)[0] if self._consent.code_answer_path else None
        return self.stand.entry if path is None else replace(self.stand.entry, response_path=path)


def _claims(token: object) -> dict[str, Any]:
    try:
        return jwt.decode(str(token), options=_UNJUDGED)
    except jwt.DecodeError:
        return {}
