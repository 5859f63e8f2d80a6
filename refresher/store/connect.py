"""The table `connect_session`: written, found, listed. How one goes on: `store/connect_steps.py`.

`organization_id` None is a key for all organizations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from refresher.rules.connect import (
    Finish,
    Flow,
    Kind,
    Outcome,
    Problem,
    Result,
    Session,
    State,
    Trouble,
)
from refresher.store import audit
from refresher.store.audit import AuditEntry
from refresher.store.db import RowMapping
from refresher.store.session import Db, conditions, first, run


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is stored of a new session; one that a key made ends no later than the key."""

    id: UUID
    link_hash: bytes = field(repr=False)
    kind: Kind
    flow: Flow
    finish: Finish
    organization_id: str
    provider: str
    app_name: str
    made_by: str
    seconds: float
    key_id: str | None = None
    external_id: str | None = None
    connection_id: UUID | None = None
    host: str | None = None
    placeholders: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    scopes: Sequence[str] = ()
    required_scopes: Sequence[str] = ()
    account_hint: str | None = None
    return_url: str | None = None
    for_whom: str | None = None
    finish_challenge: str | None = field(default=None, repr=False)
    leave_in_between_steps: bool = False
    allow_account_change: bool = False


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions to list; None leaves a condition away."""

    organization_id: str | None = None
    provider: str | None = None
    state: State | None = None
    connection_id: UUID | None = None


def insert(db: Db, new: NewSession) -> Session:
    """Stores a session and returns it."""
    values = {f.name: getattr(new, f.name) for f in fields(NewSession)}
    names = [name for name in values if name != "seconds"]
    sql = f"""
        insert into connect_session ({", ".join(names)}, expires_at)
        values ({", ".join(_PLACES.get(name, f":{name}") for name in names)},
                least(refresher_now() + :seconds * interval '1 second',
                      (select expires_at from api_key where id = :key_id)))
        returning {COLUMNS}
        """  # noqa: S608  our own column names
    values |= {name: json.dumps(dict(values[name])) for name in ("placeholders", "parameters")}
    values |= {name: list(values[name]) for name in ("scopes", "required_scopes")}
    return as_session(run(db, sql, **values).mappings().one())


def note(
    db: Db, actor_id: str, action: str, session: Session, connection_id: UUID | None = None
) -> None:
    """Writes down who did what with a session, and to which connection, if not that which it is for."""
    about, concerned = f"connect session {session.id}", connection_id or session.connection_id
    whose = session.organization_id
    audit.append(db, [AuditEntry(actor_id, action, whose, concerned, subject=about)])


def find(db: Db, session_id: UUID, organization_id: str | None = None) -> Session | None:
    """Returns a session that the organization has."""
    sql = f"{_SELECT} where id = :id and {_OWN}"
    return _one(db, sql, id=session_id, organization_id=organization_id)


def locked(db: Db, session_id: UUID, organization_id: str | None = None) -> Session | None:
    """Returns it too, and lets nobody else change it until the transaction ends.

    Sessions are locked before connections.
    """
    sql = f"{_SELECT} where id = :id and {_OWN} for no key update"
    return _one(db, sql, id=session_id, organization_id=organization_id)


def by_link(db: Db, link_hash: bytes, *, lock: bool = False) -> Session | None:
    """Returns the session of a link, by the link's hash."""
    sql = f"{_SELECT} where link_hash = :link_hash{' for no key update' if lock else ''}"
    return _one(db, sql, link_hash=link_hash)


def listed(
    db: Db, chosen: SessionFilter, *, before: UUID | None = None, limit: int = 50
) -> list[Session]:
    """Returns sessions, the newest first, older than `before`."""
    given = {f"{name} = :{name}": found for name, found in asdict(chosen).items()}
    where = conditions({**given, "id < :before": before})
    sql = f"{_SELECT} where {where} order by id desc limit :limit"
    values = {**asdict(chosen), "before": before, "limit": limit}
    return [as_session(row) for row in run(db, sql, **values).mappings()]


@dataclass(frozen=True, slots=True)
class Target:
    """A connection that a session is about; `deleted` ones too, for their id may come again."""

    id: UUID
    organization_id: str
    provider: str
    external_id: str
    app_name: str
    host: str | None
    placeholders: Mapping[str, str]
    scopes: Sequence[str]
    account: str | None
    account_label: str | None
    root_id: UUID | None
    slot_of: UUID | None
    disabled: bool
    deleted: bool
    name: str | None


def target(db: Db, connection_id: UUID, organization_id: str | None = None) -> Target | None:
    """Returns the connection that a consent is for: of a slot its main one, of a sibling its root."""
    sql = f"""
        select id, organization_id, provider, external_id, app_name, host,
            coalesce(placeholders, '{{}}') as placeholders, scopes, account, account_label, root_id,
            slot_of, disabled_at is not null as disabled, deleted_at is not null as deleted, name
        from connection where id = :id and {_OWN}
        """  # noqa: S608  our own words
    found = first(db, Target, sql, id=connection_id, organization_id=organization_id)
    leads_to = found and (found.slot_of or found.root_id)
    return target(db, leads_to, organization_id) if leads_to else found


@dataclass(frozen=True, slots=True)
class Standing:
    """What the right of a session rests on, as it is now."""

    now: datetime
    key_alive: bool
    return_urls: Sequence[str]
    organization_name: str | None
    target: Target | None


def standing(db: Db, session: Session) -> Standing:
    """Returns how key, organization and connection of a session stand."""
    sql = """
        select refresher_now() as now, o.name as organization_name,
            coalesce(o.return_urls, '{}') as return_urls,
            cast(:key_id as text) is null or exists (
                select 1 from api_key where id = :key_id and revoked_at is null
                  and (expires_at is null or expires_at > refresher_now())) as key_alive
        from (select 1) one left join organization o on o.id = :organization_id
        """
    values = {"key_id": session.key_id, "organization_id": session.organization_id}
    row = run(db, sql, **values).mappings().one()
    known = session.connection_id and target(db, session.connection_id)
    return Standing(**row, target=known or None)


def return_urls(db: Db, organization_id: str) -> Sequence[str]:
    """Returns where an organization's people may be sent back to, beside the operator's list."""
    sql = "select return_urls from organization where id = :id"
    found = run(db, sql, id=organization_id).scalar()
    return found or ()


def set_up_wrong(db: Db, *, limit: int) -> list[tuple[str, int, str]]:
    """Returns providers whose app was found set up wrong this week: how often, and the last words."""
    sql = """
        select provider, count(*), (array_agg(problem ->> 'sentence' order by id desc))[1]
        from (select * from connect_session order by id desc limit 10000) lately
        where problem ->> 'code' = :code and created_at > refresher_now() - interval '7 days'
        group by provider order by provider limit :limit
        """
    rows = run(db, sql, code=Problem.APP_WRONG.value, limit=limit)
    return [(row[0], row[1], row[2]) for row in rows]


def as_session(row: RowMapping) -> Session:
    """Returns a row as a value."""
    values: dict[str, Any] = {**row}
    outcome = values["outcome"]
    return Session(
        **{
            **values,
            "kind": Kind(values["kind"]),
            "flow": Flow(values["flow"]),
            "finish": Finish(values["finish"]),
            "state": State(values["state"]),
            "outcome": None if outcome is None else Outcome(outcome),
            "trouble": as_trouble(values["trouble"]),
            "result": Result(**values["result"]) if values["result"] else None,
        }
    )


def as_trouble(stored: Mapping[str, Any] | None) -> Trouble | None:
    """Returns what stands in a column `problem`."""
    if stored is None:
        return None
    return Trouble(Problem(stored["code"]), stored["sentence"], stored["detail"])


def trouble_text(trouble: Trouble | None) -> str | None:
    """Returns what is written into a column `problem`, as JSON."""
    if trouble is None:
        return None
    return json.dumps({**asdict(trouble), "detail": dict(trouble.detail)})


def _one(db: Db, sql: str, **values: object) -> Session | None:
    row = run(db, sql, **values).mappings().first()
    return None if row is None else as_session(row)


_PLACES = {
    "placeholders": "cast(:placeholders as jsonb)",
    "parameters": "cast(:parameters as jsonb)",
}
COLUMNS = ", ".join(
    "problem as trouble" if f.name == "trouble" else f.name for f in fields(Session)
)
_SELECT = f"select {COLUMNS} from connect_session"  # noqa: S608  our own column names
_OWN = "(cast(:organization_id as text) is null or organization_id = :organization_id)"
