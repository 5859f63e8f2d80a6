"""Makes of a held answer the connection that it is to be, as if somebody had handed it in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from refresher.rules.accounts import told_host
from refresher.rules.answers import read_answer
from refresher.rules.bodies import at
from refresher.rules.codes import answer_of
from refresher.rules.connect import Problem, Session, Trouble
from refresher.rules.held import Held
from refresher.rules.providers import Provider
from refresher.rules.registration import NewConnection, answered


def whole_answer(provider: Provider, held: Held) -> Mapping[str, object]:
    """Returns what came: of two steps the second's, with what the first alone had and is needed."""
    first = answer_of(provider, held.first)
    if held.second is None:
        return first
    names = {"scope", "id_token", *(name.partition(".")[0] for name in provider.keep_fields)}
    carried = {name: told for name, told in first.items() if name in names}
    return {**carried, **read_answer(provider, held.second.body, held.second.headers)}


def settled_host(provider: Provider, held: Held) -> str | Trouble | None:
    """Returns the host of the connection: the one that the answer names, else where the code went."""
    path = provider.connect.host_from_answer if provider.connect else ()
    told = at(answer_of(provider, held.first), path) if path else None
    if told is None:
        return held.host
    return told_host(provider, told) or Trouble(
        Problem.WRONG_HOST, "the answer names a host that is none of the provider's"
    )


def handed_in(
    provider: Provider,
    session: Session,
    held: Held,
    external_id: str,
    host: str | None,
    *,
    arrived_epoch_seconds: float,
    now_epoch_seconds: float,
) -> NewConnection:
    """Returns the connection with all that came; raises `InvalidConnection`.

    Lives count from when the answer arrived, and it may have waited.
    """
    new = NewConnection(
        session.organization_id,
        session.provider,
        external_id,
        None,
        None,
        app=session.app_name,
        host=host,
        placeholders=dict(session.placeholders) or None,
        in_between_steps=session.leave_in_between_steps or None,
        answer=whole_answer(provider, held),
    )
    read = answered(new, provider, arrived_epoch_seconds)
    waited = max(0.0, now_epoch_seconds - arrived_epoch_seconds)
    names = provider.connect.keep_from_callback if provider.connect else ()
    kept = {name: held.callback[name] for name in names if name in held.callback}
    return replace(
        _older(read, waited),
        granted_scopes=_granted(provider, new.answer or {}) or read.granted_scopes,
        kept={**(read.kept or {}), **kept} or None,
        slots=tuple(_older(slot, waited) for slot in read.slots),
    )


def _older(new: NewConnection, seconds: float) -> NewConnection:
    """Returns it with lives that began so long ago; 0 of a refresh token would mean no end."""

    def left(life: float | None, least: float) -> float | None:
        return None if life is None else max(least, life - seconds)

    return replace(
        new,
        expires_in_seconds=left(new.expires_in_seconds, 0.0),
        refresh_token_expires_in_seconds=left(new.refresh_token_expires_in_seconds, 1.0),
        grant_ends_in_seconds=left(new.grant_ends_in_seconds, 1.0),
    )


def _granted(provider: Provider, answer: Mapping[str, object]) -> tuple[str, ...] | None:
    """Returns the scopes of an answer that separates them in a way of its own."""
    separator = provider.connect.answer_scope_separator if provider.connect else None
    told = answer.get("scope")
    if separator is None or not isinstance(told, str):
        return None
    return tuple(text for part in told.split(separator) if (text := part.strip())) or None
