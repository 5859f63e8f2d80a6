"""What a connect session is asked to be for, and what of it is refused before there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from refresher.catalogue.entries import DEFAULT_APP
from refresher.errors import ConnectRefused
from refresher.rules import return_urls
from refresher.rules.access import Actor
from refresher.rules.connect import Finish, Flow, Kind, shown
from refresher.rules.connection import connection_id
from refresher.rules.consent import why_not
from refresher.rules.providers import Provider
from refresher.rules.words import span
from refresher.runtime.services import Services
from refresher.store import connect
from refresher.store.connect import NewSession, Target
from refresher.store.session import Db

LONGEST_SECONDS = {Flow.REDIRECT: 3_600.0, Flow.LINK: 30 * 86_400.0}
SHORTEST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a session is to be for; `connection_id` instead of provider and names is a reconnect."""

    organization_id: str | None = None
    provider: str | None = None
    external_id: str | None = None
    connection_id: UUID | None = None
    app: str | None = None
    host: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)
    scopes: Sequence[str] = ()
    required_scopes: Sequence[str] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    account_hint: str | None = None
    for_whom: str | None = None
    return_url: str | None = None
    flow: Flow = Flow.REDIRECT
    finish: Finish = Finish.PAGE
    finish_challenge: str | None = field(default=None, repr=False)
    expires_in_seconds: float | None = None
    if_exists: Literal["reconnect", "refuse"] = "reconnect"
    leave_in_between_steps: bool = False
    allow_account_change: bool = False


def whose(order: Order, target: Target | None, by: Actor) -> tuple[str, str]:
    """Returns organization and provider; raises `ConnectRefused` where the order does not say them."""
    organization = order.organization_id or by.organization_id
    if by.organization_id not in {None, organization}:
        raise ConnectRefused("organization_mismatch", "the API key is another organization's")
    if target is not None:
        if order.provider not in {None, target.provider}:
            raise ConnectRefused("invalid_body", f"the connection is one of {target.provider}")
        organization = target.organization_id
    if not organization:
        raise ConnectRefused("invalid_body", "organization_id is missing")
    provider = target.provider if target else order.provider
    if not provider:
        raise ConnectRefused("invalid_body", "give a provider, or the connection_id of a reconnect")
    return organization, provider


def new_session(
    services: Services, db: Db, order: Order, provider: Provider, by: Actor
) -> NewSession:
    """Returns what does not depend on a connection that there is, checked."""
    if provider.connect is None:
        why = why_not(provider) or ""
        raise ConnectRefused("cannot_connect", f"nobody can connect to {provider.name}: {why}")
    strange = next((n for n in order.parameters if n not in provider.connect.parameters), None)
    if strange is not None:
        known = ", ".join(provider.connect.parameters) or "none"
        raise ConnectRefused(
            "invalid_body", f'parameters has "{strange[:64]}": {provider.name} takes {known}'
        )
    organization_id = order.organization_id or ""
    _check_return(services, order, connect.return_urls(db, organization_id))
    return NewSession(
        id=uuid7(),
        link_hash=b"",
        kind=Kind.NEW,
        flow=order.flow,
        finish=order.finish,
        organization_id=organization_id,
        provider=provider.name,
        app_name=order.app or DEFAULT_APP,
        made_by=by.told,
        key_id=by.key_id,
        seconds=_seconds(services, order),
        external_id=order.external_id,
        host=order.host,
        placeholders=dict(order.placeholders),
        parameters=dict(order.parameters),
        scopes=tuple(dict.fromkeys((*order.scopes, *order.required_scopes))),
        required_scopes=tuple(dict.fromkeys(order.required_scopes)),
        account_hint=order.account_hint,
        return_url=order.return_url,
        for_whom=shown(order.for_whom) if order.for_whom else None,
        finish_challenge=order.finish_challenge,
        leave_in_between_steps=order.leave_in_between_steps,
        allow_account_change=order.allow_account_change,
    )


def _seconds(services: Services, order: Order) -> float:
    settings = services.settings
    usual = {
        Flow.REDIRECT: settings.connect_session_seconds,
        Flow.LINK: settings.connect_link_seconds,
    }
    most = LONGEST_SECONDS[order.flow]
    seconds = order.expires_in_seconds or min(usual[order.flow], most)
    if not SHORTEST_SECONDS <= seconds <= most:
        raise ConnectRefused(
            "invalid_body",
            f"expires_in_seconds: with flow {order.flow} a session lasts "
            f"{SHORTEST_SECONDS:.0f} s to {span(most)}, not {span(seconds)}",
        )
    return seconds


def _check_return(services: Services, order: Order, own: Sequence[str]) -> None:
    confirms = order.finish is Finish.APPLICATION
    if confirms != (order.finish_challenge is not None):
        raise ConnectRefused(
            "invalid_body", 'finish_challenge and finish = "application" go together'
        )
    if order.return_url is None:
        if confirms:
            raise ConnectRefused(
                "invalid_body", 'finish = "application" needs a return_url: the code goes there'
            )
        return
    listed = services.settings.connect_return_urls
    if fault := return_urls.fault(order.return_url, order.finish, listed, own):
        raise ConnectRefused("return_url_refused", f"return_url {fault}")


def aimed(new: NewSession, order: Order, target: Target | None, provider: Provider) -> NewSession:
    """Returns the session with what the connection that there is brings."""
    if target is None:
        known = order.external_id is not None
        id_ = connection_id(new.organization_id, provider.name, order.external_id or "")
        return replace(new, connection_id=id_ if known else None)
    if order.if_exists == "refuse":
        raise ConnectRefused("connection_exists", f"the connection {target.id} exists already")
    if target.disabled:
        raise ConnectRefused("disabled", f"the connection {target.id} is disabled: enable it first")
    return replace(
        new,
        kind=Kind.RECONNECT,
        connection_id=target.id,
        external_id=target.external_id,
        app_name=order.app or target.app_name,
        host=order.host or target.host,
        placeholders={**target.placeholders, **order.placeholders},
    )
