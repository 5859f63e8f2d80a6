"""Resume links: a waiting connection goes on when a signed URL is called, once.

Made with the rights of an API key or on the command line; used without either, by whoever got it. Link,
connection and event are written in one transaction: a link whose call is refused stays good.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.connections.registration import take_within
from refresher.errors import InvalidConnection, NoSuchConnection, NoSuchLink, RefresherError
from refresher.rules import redirects
from refresher.rules import resume_links as rules
from refresher.rules.access import Actor
from refresher.rules.connection import Status, is_no_token
from refresher.rules.handed_error import refuse_error
from refresher.rules.registration import read
from refresher.rules.resume_links import MAX_SECONDS, MIN_SECONDS, Link, LinkFault, Waiting
from refresher.rules.words import span
from refresher.runtime.services import Services
from refresher.store import audit, connections, inbound, state_changes
from refresher.store.audit import AuditEntry
from refresher.store.connections import ConnectionView
from refresher.store.events import Event, append
from refresher.store.inbound import LinkView, NewLink, StoredLink
from refresher.store.quotas import Limited, Quota
from refresher.store.session import Database, Db, retrying

MOST_IN_EVENT = 500
PATH = "/v1/resume/"


class LinkRefused(RefresherError):
    """A link, or what came with it, is not taken; `code` says why."""

    exit_code = 2

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class ResumeLink:
    """A link that resumes one connection, once. Whoever has it needs no API key: treat it as one."""

    id: UUID
    connection_id: UUID
    path: str = field(repr=False)
    url: str | None = field(repr=False)
    expires_at: datetime


def make_link(
    services: Services,
    connection_id: UUID,
    *,
    seconds: float,
    by: Actor,
    replaces_tokens: bool = False,
    most: int = 0,
) -> ResumeLink:
    """Returns a link that resumes a connection once, within so many seconds.

    With `replaces_tokens` it takes tokens while the connection works, too. Raises `NoSuchConnection`,
    `LinkRefused` for a time that is too short or too long, and `QuotaReached` where the connection's
    organization has `most` open links.
    """
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise LinkRefused(
            "invalid_body",
            f"a link lasts {MIN_SECONDS:.0f} s to {MAX_SECONDS / 86_400:.0f} days, not {span(seconds)}",
        )
    link_id = uuid7()
    with services.database.transaction() as db:
        seen = _seen(db, connection_id, by)
        quota = Quota(Limited.LINKS, seen.organization_id, most)
        quota.keep(quota.room(db))
        new = NewLink(link_id, connection_id, by.told, by.key_id, seconds, replaces_tokens)
        end = inbound.put_link(db, new)
        append(db, [Event(connection_id, "resume_link", reason=f"{link_id} {by.told}")])
        _note(db, by.id, "resume_link", seen, link_id)
    key_id, key = next(iter(services.cipher.derived(rules.PURPOSE).items()))
    text = rules.sign(Link(link_id, connection_id, int(end.timestamp())), key_id, key)
    path, base = PATH + text, services.settings.public_url
    return ResumeLink(link_id, connection_id, path, base and redirects.address(base, path), end)


def open_links(database: Database, connection_id: UUID, by: Actor) -> Sequence[LinkView]:
    """Returns the links of a connection, the newest first; raises `NoSuchConnection`."""
    with database.transaction() as db:
        _seen(db, connection_id, by)
        return inbound.links_of(db, connection_id)


def withdraw_link(database: Database, connection_id: UUID, link_id: UUID, by: Actor) -> LinkView:
    """Withdraws a link that was not used yet; raises `NoSuchConnection` or `NoSuchLink`."""
    with database.transaction() as db:
        seen = _seen(db, connection_id, by)
        link = inbound.withdraw_link(db, connection_id, link_id)
        if link is None:
            raise NoSuchLink(f"the connection has no link {link_id}")
        append(db, [Event(connection_id, "resume_link_withdrawn", reason=f"{link_id} {by.told}")])
        _note(db, by.id, "link_withdrawn", seen, link_id)
    return link


def _seen(db: Db, connection_id: UUID, by: Actor) -> ConnectionView:
    found = connections.find(db, connection_id, by.organization_id)
    if found is None:
        raise NoSuchConnection(f"no connection has the id {connection_id}")
    return found.seen


def _note(db: Db, actor_id: str, action: str, seen: ConnectionView, link_id: UUID) -> None:
    entry = AuditEntry(actor_id, action, seen.organization_id, seen.id, subject=f"link:{link_id}")
    audit.append(db, [entry])


def use_link(services: Services, text: str, body: object = None) -> UUID:
    """Resumes the connection of a link; returns its id. Raises `LinkRefused` or `InvalidConnection`.

    `body` is None or a JSON object: `tokens` (fields of an import line) and `retry` are for us; the
    rest is written down with the link and, cut short, in the event.
    """
    link = rules.verify(text, services.cipher.derived(rules.PURPOSE))
    if link is None:
        raise LinkRefused(LinkFault.INVALID, "this link is none of ours, or was changed on its way")
    tokens, retry, payload = _read(body)
    return retrying(lambda: _use(services, link, tokens, payload, retry=retry))


def _use(
    services: Services,
    link: Link,
    tokens: Mapping[str, object],
    payload: Mapping[str, object],
    *,
    retry: bool,
) -> UUID:
    with services.database.transaction() as db:
        stored = _checked(inbound.locked_link(db, link.id), link)
        held = connections.locked(db, link.connection_id, None)
        if held is None:
            raise LinkRefused("not_waiting", "the connection is deleted")
        decision = rules.decide(
            _waiting(held.seen),
            has_tokens=bool(tokens),
            retry=retry,
            replaces_tokens=stored.replaces_tokens,
        )
        match decision:
            case rules.LinkRefusal(code, sentence):
                raise LinkRefused(code, sentence)
            case rules.Resume():
                state_changes.resume(db, link.connection_id, reason=_reason(link, payload))
            case rules.Reconnect():
                _reconnect(services, db, held.seen, tokens)
                reason = _reason(link, payload)
                if not state_changes.resume(db, link.connection_id, reason=reason):
                    append(db, [Event(link.connection_id, "resumed", reason=reason)])
            case _:
                assert_never(decision)
        inbound.use_link(db, link.id, payload or None)
        # In the name of whoever made it: who held it needs none.
        maker = stored.key_id or stored.made_by.removeprefix("by ")
        _note(db, maker, "link_used", held.seen, link.id)
    return link.connection_id


def _checked(stored: StoredLink | None, link: Link) -> StoredLink:
    if stored is None or stored.connection_id != link.connection_id:
        raise LinkRefused(LinkFault.INVALID, "this link is not known any more")
    if stored.used:
        raise LinkRefused(LinkFault.USED, "this link was used already: each works once")
    if stored.withdrawn or stored.key_revoked:
        raise LinkRefused(LinkFault.WITHDRAWN, "this link was withdrawn: ask for another")
    if stored.expired:
        raise LinkRefused(LinkFault.EXPIRED, "this link has expired: ask for another")
    return stored


def _read(body: object) -> tuple[dict[str, object], bool, dict[str, object]]:
    """Returns tokens, retry, and what is written down; raises `LinkRefused`."""
    if body is None:
        return {}, False, {}
    if not isinstance(body, dict):
        raise LinkRefused("invalid_body", "the body must be one JSON object, or empty")
    tokens, retry = body.get("tokens", {}), body.get("retry", False)
    if not isinstance(retry, bool):
        raise LinkRefused("invalid_body", "retry: it must be true or false")
    if not isinstance(tokens, dict):
        raise LinkRefused("invalid_body", "tokens: it must be an object with access_token and more")
    _refuse_error(tokens)
    for name in tokens:
        if name not in rules.TOKEN_FIELDS:
            known = ", ".join(sorted(rules.TOKEN_FIELDS))
            raise LinkRefused("invalid_body", f"tokens: it may have only {known}")
    answer = tokens.get("answer")
    told = [tokens.get("access_token"), tokens.get("refresh_token"), answer]
    if tokens and not any(_is_token(value) for value in told):
        raise LinkRefused("invalid_body", "tokens: it has neither access_token nor refresh_token")
    places = [tokens, answer] if isinstance(answer, dict) else [tokens]
    names = ("access_token", "refresh_token", "id_token")
    secrets = {str(place[name]) for place in places for name in names if place.get(name)}
    try:
        payload = rules.recorded(body, frozenset(secrets))
    except ValueError as error:
        raise LinkRefused("invalid_body", f"the body cannot be kept: {error}") from None
    return dict(tokens), retry, payload


def _reconnect(
    services: Services, db: Db, seen: ConnectionView, tokens: Mapping[str, object]
) -> None:
    """Stores tokens as a reconnect of the same connection; all else stays as it is."""
    # A whole answer has the token of a slot at its place; by themselves they are the slot's alone.
    alone = seen.slot and "answer" not in tokens
    line = {
        "organization_id": seen.organization_id,
        "provider": seen.provider,
        "external_id": seen.external_id,
        **({"slots": {seen.slot: dict(tokens)}} if alone else tokens),
    }
    taken = take_within(services, db, [read(line)])
    for reason in taken.rejected.values():
        raise InvalidConnection(reason)
    if not taken.reconnected and not (alone and taken.slots):
        raise LinkRefused("invalid_body", "tokens: the answer has no token that can be used")


def _refuse_error(tokens: Mapping[str, object]) -> None:
    try:
        refuse_error(tokens)
    except InvalidConnection as error:
        raise LinkRefused("invalid_body", f"tokens: {error}") from None


def _is_token(value: object) -> bool:
    """Whether it is meant for a token; whether it can be one, `read` tells."""
    return value is not None and not (isinstance(value, str) and is_no_token(value))


def _waiting(seen: ConnectionView) -> Waiting:
    return Waiting(
        status=Status(seen.status),
        state=seen.state,
        parked_reason=seen.parked_reason,
        in_between_steps=seen.in_between_steps,
        paused=seen.paused_at is not None,
        disabled=seen.disabled_at is not None,
        is_sibling=seen.root_id is not None,
    )


def _reason(link: Link, payload: Mapping[str, object]) -> str:
    said = f": {json.dumps(payload, ensure_ascii=False)}" if payload else ""
    whole = f"by resume link {link.id}{said}"
    return whole if len(whole) <= MOST_IN_EVENT else whole[: MOST_IN_EVENT - 1] + "…"
