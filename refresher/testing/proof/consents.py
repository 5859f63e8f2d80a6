"""The promise of `[connect]`: a consent, from the URL that a person leaves for to whose it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlsplit

from refresher.devkit.oauth_server.entry.identity import account_id
from refresher.outbound.sender import write
from refresher.rules import accounts, codes
from refresher.rules.accounts import Account, Expected
from refresher.rules.answers import read_body
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
from refresher.rules.connect import Trouble
from refresher.rules.connection import Reply, Secret, as_token
from refresher.rules.consent import Consent, Place
from refresher.rules.outcomes import Refreshed, classify
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.requests import TokenRequest
from refresher.testing.proof.line import send, visit
from refresher.testing.proof.stand import Stand, Unprovable

_BACK = "https://connect.example/connect/callback/here"
_STATE, _VERIFIER, _NONCE = "s" * 43, "v" * 43, "n" * 43


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
        entry, secret = self.stand.entry, self.stand.apps.known.client_secret
        host = codes.callback_host(entry, [*pairs.items()], self.stand.host, secret)
        if isinstance(host, Trouble):
            yield f"the callback was not believed: {host.sentence}"
            return
        party = self._party(host)
        answer = self._sent(code_request(party, self._code(party, pairs), self.stand.draw))
        refused = codes.refusal(entry, answer, self.stand.now)
        if refused is not None:
            yield f"the code was not understood: {refused.sentence}"
            return
        yield from self._second_step(party, pairs, answer)

    def _second_step(self, party: Party, pairs: Mapping[str, str], answer: Reply) -> Iterator[str]:
        told = codes.answer_of(self.stand.entry, answer)
        token = as_token(told.get("access_token"))
        if (step := self._consent.second_step) is not None and token is not None:
            longer = self._sent(second_request(party, step, token))
            outcome = classify(self.stand.entry, longer, self.stand.now)
            if not isinstance(outcome, Refreshed):
                yield f"the second step was not understood: {longer.status} {longer.body[:300]!r}"
                return
            token = outcome.grant.access_token
        if self._consent.refresh_token == "always" and not told.get("refresh_token"):
            yield "no refresh token was read, and the entry says that there always is one"
        if token is not None:
            yield from self._wrong_account(party, pairs, told, token)

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
            url = authorize_url(self._party(self.stand.host), asking)
        except UnbuildableRequest as why:
            raise Unprovable(f"nobody can be sent there: {why}") from None
        status, there = visit(self.stand.app, self.stand.state.connections, url)
        pairs = dict(parse_qsl(urlsplit(there).query, keep_blank_values=True))
        if status != 302 or pairs.get("state") != _STATE or "code" not in pairs:
            return f"{status} {there[:300]}"
        return pairs

    def _wrong_account(
        self,
        party: Party,
        pairs: Mapping[str, str],
        answer: Mapping[str, object],
        token: Secret,
    ) -> Iterator[str]:
        entry, identity = self.stand.entry, self._consent.identity
        told: dict[Place, object] = {"callback": pairs, "answer": answer}
        if (claims := accounts.claims_of(answer.get("id_token"))) is not None:
            told["id_token"] = claims
            yield from self._wrong_claims(party, claims)
        if "userinfo" in identity.found_in:
            reply = self._sent(userinfo_request(party, token))
            told["userinfo"] = read_body(reply.body, (), reply.headers)
        expected = account_id(entry, self.account, party.host)
        for place in identity.found_in:  # each of them, not only the first
            alone = replace(self._consent, identity=replace(identity, found_in=(place,)))
            found = accounts.account_in(replace(entry, connect=alone), told, party.host)
            known = found.id if isinstance(found, Account) else None
            if known is None or not (known == expected or known.endswith(f"/{expected}")):
                yield f"the account is told as {known} in {place}, not {expected}"

    def _wrong_claims(self, party: Party, claims: Mapping[str, object]) -> Iterator[str]:
        issuer = accounts.issuer_of(self.stand.entry, claims, party.host)
        nonce = hashlib.sha256(_NONCE.encode()).digest()
        expected = Expected(party.client.client_id, issuer, nonce, nonce_must=True)
        fault = accounts.claims_fault(claims, expected, self.stand.now)
        if fault is not None:
            yield fault

    def _code(self, party: Party, pairs: Mapping[str, str]) -> Code:
        verifier = Secret(_VERIFIER) if uses_pkce(self.stand.entry) else None
        return Code(Secret(pairs["code"]), code_url(party), _BACK, verifier)

    def _party(self, host: str | None) -> Party:
        return Party(self.stand.entry, self.stand.apps.known, host, self.stand.placeholders)

    def _sent(self, request: TokenRequest) -> Reply:
        self.stand.wait_for_turn()
        return send(self.stand.app, self.stand.state.connections, write(request))

    @property
    def _consent(self) -> Consent:
        assert self.stand.entry.connect is not None
        return self.stand.entry.connect
