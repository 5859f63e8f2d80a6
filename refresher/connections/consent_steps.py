"""The steps from a held answer to its account: the second exchange, the id_token, userinfo.

Each is done from what the session's row holds, and may be repeated; what it brings is kept there (C18).
`arrival.py` sends what is asked here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal
from uuid import UUID

from refresher.connections import id_tokens, promotion
from refresher.connections.parties import party_of
from refresher.connections.promotion import Whole
from refresher.errors import CannotDecrypt, UnknownProvider
from refresher.outbound.key_sets import KeysUnavailable, KeysWanted
from refresher.rules import bodies, codes
from refresher.rules.accounts import Account, Unasked, account_in
from refresher.rules.authorize import Party, second_request, userinfo_request
from refresher.rules.connect import Problem, Session, State, Trouble
from refresher.rules.connection import Reply, Secret, as_token
from refresher.rules.consent import Place
from refresher.rules.consented import whole_answer
from refresher.rules.held import Held
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.requests import TokenRequest
from refresher.runtime.services import Services
from refresher.store import connect, connect_steps


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that is to be sent before it can go on, and for what."""

    what: Literal["second", "userinfo"]
    request: TokenRequest
    party: Party
    session: Session
    held: Held


class Trying(Enum):
    """Why nothing is asked: it is settled, or something is away that will be back."""

    DONE = "done"
    LATER = "later"


def next_step(services: Services, session_id: UUID) -> Ask | KeysWanted | Trying:
    """Returns what is to be asked or fetched next; settles the session where nothing is."""
    with services.database.reading() as db:
        session = connect.find(db, session_id)
    if session is None or session.state is not State.HELD or session.held is None:
        return Trying.DONE
    try:
        held = Held.of(services.cipher.open(session.held, session.id, "held"))
        party = party_of(services, session, held.host)
        return _next(services, session, held, party)
    except (UnbuildableRequest, CannotDecrypt, UnknownProvider) as error:
        promotion.reopen(services, session, Trouble(Problem.APP_WRONG, str(error)))
        return Trying.DONE
    except KeysWanted as wanted:
        return wanted
    except KeysUnavailable:
        return Trying.LATER


def _next(services: Services, session: Session, held: Held, party: Party) -> Ask | Trying:
    consent = party.consent
    if consent.second_step is not None and held.second is None:
        token = _token(party, replace(held, second=None))
        request = second_request(party, consent.second_step, token)
        return Ask("second", request, party, session, held)
    account = held.account or _account(services, held, party)
    if isinstance(account, Trouble):
        promotion.reopen(services, session, account)
    elif account is Unasked.USERINFO:
        request = userinfo_request(party, _token(party, held))
        return Ask("userinfo", request, party, session, held)
    else:
        promotion.settle(services, Whole(party.provider, session, held, account))
    return Trying.DONE


def _token(party: Party, held: Held) -> Secret:
    """Returns the access token that came: an answer without one is never held."""
    return as_token(whole_answer(party.provider, held).get("access_token")) or Secret("")


def _account(services: Services, held: Held, party: Party) -> Account | Unasked | Trouble | None:
    answer = codes.answer_of(party.provider, held.first)  # a second step tells no account
    told: dict[Place, object] = {"answer": answer, "callback": held.callback}
    if "id_token" in party.consent.identity.found_in or party.consent.callback_claims:
        claims = id_tokens.believed(
            party, held, answer.get("id_token"), services.couriers.keys, time.time()
        )
        if isinstance(claims, Trouble):
            return claims
        told["id_token"] = claims or {}
    if held.userinfo:
        told["userinfo"] = {}  # it was asked, and did not tell
    return account_in(party.provider, told, held.host)


def take_in(services: Services, step: Ask, reply: Reply) -> bool:
    """Keeps what came of a step; False where it is to be tried again later."""
    if step.what == "second":
        return _take_second(services, step, reply)
    if reply.status is None or reply.failure or reply.status >= 500 or reply.status in {408, 429}:
        return False
    found = bodies.read(reply.body, reply.headers) if 200 <= reply.status < 300 else {}
    account = account_in(step.party.provider, {"userinfo": found}, step.held.host)
    known = account if isinstance(account, Account) else None
    return _keep(services, step, replace(step.held, account=known, userinfo=True))


def _take_second(services: Services, step: Ask, reply: Reply) -> bool:
    """Keeps the long-lived token; a connection never gets the short one (C18)."""
    hidden = (_token(step.party, step.held).reveal(),)
    bare = replace(step.party.provider, connect=None)  # the answer stands where a refresh's does
    trouble = codes.refusal(bare, reply, time.time(), hidden)
    if trouble is None:
        return _keep(services, step, replace(step.held, second=reply))
    if trouble.code not in {Problem.REFUSED_CODE, Problem.APP_WRONG}:
        return False
    sentence = f"no long-lived token: {trouble.sentence}"
    promotion.reopen(services, step.session, Trouble(Problem.NO_REFRESH_TOKEN, sentence))
    return True


def _keep(services: Services, step: Ask, held: Held) -> bool:
    """Keeps it in the session's row; where another process did, that one's counts."""
    assert step.session.held is not None
    sealed = services.cipher.seal(held.text(), step.session.id, "held")
    with services.database.transaction() as db:
        connect_steps.hold_again(db, step.session.id, step.session.held, sealed)
    return True
