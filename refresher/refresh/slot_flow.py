"""The steps of "give me the token of this slot": those of `token_flow.py`, led to another token.

A slot that is refreshed apart is a connection of its own, whose id follows from its name: it costs what
a main token costs. One that comes together with the main token is found among its kept secrets, and
whatever is wanted of it is wanted of the main one's row.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from refresher.errors import CannotDecrypt, TokenUnavailable
from refresher.refresh import token_flow
from refresher.refresh.token_flow import ReadSlots, ReadToken, Step
from refresher.rules.connection import ParkReason
from refresher.rules.providers import Provider
from refresher.rules.served import Served
from refresher.rules.serving import Ask, Stored
from refresher.rules.slots import SlotToken, slot_id, together, unknown
from refresher.rules.unavailable import Why
from refresher.runtime.cipher import Cipher
from refresher.runtime.services import Services
from refresher.store.serving import SlotNames, TokenAndRow

Steps = Generator[Step, Any, Served]
ABSENT = {Why.NO_SUCH_CONNECTION.value, ParkReason.DELETED.value}


def token(services: Services, connection_id: UUID, ask: Ask, wait_seconds: float) -> Steps:
    """Returns the token of the slot that is asked for; raises `TokenUnavailable`, naming it."""
    served = yield from _apart(services, connection_id, connection_id, ask, wait_seconds)
    if served is not None:
        return served
    stored: Stored | None = yield ReadToken(connection_id, ask.organization_id)
    main = token_flow.living(connection_id, stored, ask.organization_id)
    if ask.slot in come_together(services.cipher, main):
        return (yield from _with_main(services, main, ask, wait_seconds))
    if main.root_id != connection_id:  # a sibling uses the slots of its root
        served = yield from _apart(services, connection_id, main.root_id, ask, wait_seconds)
    if served is not None:
        return served
    names: SlotNames = yield ReadSlots(main.root_id)
    known = {*names.slots, *come_together(services.cipher, main)}
    why = absent(ask.slot or "", known, services.catalogue.get(names.provider))
    raise TokenUnavailable(Why.NO_SUCH_SLOT.value, f"connection {connection_id}: {why}")


def _apart(
    services: Services, connection_id: UUID, main_id: UUID, ask: Ask, wait_seconds: float
) -> Generator[Step, Any, Served | None]:
    """Returns the token of a slot that is a row of its own; None where there is none."""
    slot = ask.slot or ""
    own = slot_id(main_id, slot)
    try:
        steps = token_flow.token(services, own, replace(ask, slot=None), wait_seconds)
        served = yield from steps
    except TokenUnavailable as error:
        if error.code in ABSENT:
            return None
        raise _naming(error, own, connection_id, slot) from error
    return replace(served, connection_id=connection_id, slot=slot)


def _with_main(services: Services, main: Stored, ask: Ask, wait_seconds: float) -> Steps:
    """Goes the steps of the main token, each look at it answered with the slot's in its place."""
    slot, id_, answer = ask.slot or "", main.connection_id, None
    steps = token_flow.token(services, id_, replace(ask, slot=None), wait_seconds)
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            served: Served = end.value
            return replace(served, slot=slot)
        except TokenUnavailable as error:
            raise _naming(error, id_, id_, slot) from error
        answer = yield step
        if isinstance(answer, Stored):
            answer = as_slot(services.cipher, slot, answer)
        elif isinstance(answer, TokenAndRow):
            answer = replace(answer, stored=as_slot(services.cipher, slot, answer.stored))


def as_slot(cipher: Cipher, slot: str, main: Stored) -> Stored:
    """Returns the main token with the slot's in its place; none where it does not come any more."""
    found = come_together(cipher, main).get(slot)
    if found is None:
        return replace(main, access_token=None)
    left = _left(found, main)
    ends = found.ends_epoch_seconds
    return replace(
        main,
        access_token=cipher.seal(found.access_token, main.root_id, "access_token"),
        expires_at=main.expires_at if ends is None else datetime.fromtimestamp(ends, UTC),
        left_seconds=left,
        scopes=found.scopes or (),
    )


def _left(found: SlotToken, main: Stored) -> float | None:
    """Returns what is left of the slot's token, in the database's clock where the main one tells it."""
    ends = found.ends_epoch_seconds
    if ends is None:
        return main.left_seconds
    if main.expires_at is None or main.left_seconds is None:
        return ends - time.time()
    return ends - (main.expires_at.timestamp() - main.left_seconds)


def come_together(cipher: Cipher, main: Stored) -> dict[str, SlotToken]:
    """Returns the slots that came together with the main token."""
    if main.kept_secrets is None:
        return {}
    try:
        return together(cipher.open(main.kept_secrets, main.root_id, "kept_secrets"))
    except CannotDecrypt:
        return {}


def absent(slot: str, known: Collection[str], provider: Provider | None) -> str:
    """Returns the sentence about a slot without a token: it is unknown, or none was handed in."""
    if provider is not None and slot in provider.slots:
        return f'no token came for its slot "{slot}": register it with the provider\'s whole answer'
    return unknown(slot, known)


def _naming(error: TokenUnavailable, own: UUID, connection_id: UUID, slot: str) -> TokenUnavailable:
    """Returns the error with the names that the caller used: the row of a slot is our own affair."""
    whose = f'connection {connection_id}, slot "{slot}"'
    sentence = str(error).replace(f"connection {own}", whose, 1)
    return TokenUnavailable(error.code, sentence, retry_after_seconds=error.retry_after_seconds)
