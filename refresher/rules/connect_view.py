"""What API, command line and SDK tell of connecting: sessions without what could open them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from refresher.rules.authorize import asked_scopes
from refresher.rules.connect import Finish, Flow, Kind, Outcome, Problem, Session, State
from refresher.rules.consent import why_not
from refresher.rules.providers import Provider
from refresher.rules.redirects import fault, public_url_fault, redirect_uri, slug


@dataclass(frozen=True, slots=True)
class SessionProblem:
    """Why the last attempt, or the session, came to nothing."""

    code: Problem
    sentence: str


@dataclass(frozen=True, slots=True)
class SessionView:
    """A connect session. `problem`: of the last attempt, also while another may yet succeed."""

    id: UUID
    kind: Kind
    flow: Flow
    finish: Finish
    state: State
    outcome: Outcome | None
    problem: SessionProblem | None
    attempts: int
    organization_id: str
    provider: str
    app: str
    external_id: str | None
    connection_id: UUID | None
    host: str | None
    for_whom: str | None
    return_url: str | None
    scopes: Sequence[str]
    required_scopes: Sequence[str]
    account: str | None
    granted_scopes: Sequence[str] | None
    missing_scopes: Sequence[str]
    waits_for_application: bool
    also_connected_as: Sequence[UUID]
    made_by: str
    created_at: datetime
    opened_at: datetime | None
    expires_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConnectView:
    """Whether accounts of a provider can be connected here, and what our app there must have."""

    possible: bool
    why_not: str | None
    redirect_uri: str | None
    scopes: Sequence[str]
    asks_host: bool
    unsure: Sequence[str]


def connecting(
    provider: Provider, public_url: str | None, *, is_on: bool, has_app: bool
) -> ConnectView:
    """Returns whether people can connect; `is_on`: REFRESHER_CONNECT, `has_app`: one is stored."""
    entry = provider.connect
    uri = redirect_uri(public_url, slug(provider, None)) if public_url and entry else None
    why = why_not(provider) or (None if is_on else "REFRESHER_CONNECT is false")
    why = why or public_url_fault(public_url) or fault(provider, uri or "")
    if why is None and not has_app:
        why = f"there is no app of ours: `refresher apps set {provider.name}` stores one"
    return ConnectView(
        possible=why is None,
        why_not=why,
        redirect_uri=uri,
        scopes=asked_scopes(provider, ()) if entry else (),
        asks_host=entry is not None and entry.asks_host,
        unsure=entry.unsure if entry else (),
    )


def view(session: Session) -> SessionView:
    """Returns what is told of a session."""
    trouble, result = session.trouble, session.result
    return SessionView(
        id=session.id,
        kind=session.kind,
        flow=session.flow,
        finish=session.finish,
        state=session.state,
        outcome=session.outcome,
        problem=SessionProblem(trouble.code, trouble.sentence) if trouble else None,
        attempts=session.attempts,
        organization_id=session.organization_id,
        provider=session.provider,
        app=session.app_name,
        external_id=session.external_id,
        connection_id=session.connection_id,
        host=session.host,
        for_whom=session.for_whom,
        return_url=session.return_url,
        scopes=session.scopes,
        required_scopes=session.required_scopes,
        account=result.account_label or result.account if result else None,
        granted_scopes=result.granted_scopes if result else None,
        missing_scopes=_missing(session),
        waits_for_application=session.state is State.HELD and session.ready_at is not None,
        also_connected_as=[UUID(id_) for id_ in result.also_connected_as] if result else (),
        made_by=session.made_by,
        created_at=session.created_at,
        opened_at=session.opened_at,
        expires_at=session.expires_at,
        ended_at=session.ended_at,
    )


def _missing(session: Session) -> Sequence[str]:
    """Returns the scopes that were asked for and not granted, also where that was the trouble."""
    if session.result is not None:
        return session.result.missing_scopes
    named = session.trouble.detail.get("missing_scopes") if session.trouble else None
    return [str(scope) for scope in named] if isinstance(named, Sequence) else ()
