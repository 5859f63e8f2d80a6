"""The table `app`: our OAuth clients at the providers, secrets sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from refresher.rules.connection import App, Sealed
from refresher.store import pause_list
from refresher.store.events import Event, append
from refresher.store.pause_list import Chosen
from refresher.store.session import Db, many, one, run

_NAMESPACE = UUID("3f0a6a0e-7c52-4d7e-9a3b-53f2b5c0d8e4")


@dataclass(frozen=True, slots=True)
class AppView:
    """An app as people see it: no secret. `paused_until` when the provider refuses it."""

    provider: str
    name: str
    client_id: str
    has_secret: bool
    material: list[str]
    """What is sealed beside the secret, by name: `private_key`, `placeholders.redirect_uri`."""
    paused_until: datetime | None
    pause_reason: str | None
    updated_at: datetime


def app_id(provider: str, name: str) -> UUID:
    """Returns the id that this app always has."""
    return uuid5(_NAMESPACE, f"{provider}/{name}")


def find(db: Db, provider: str, name: str) -> App | None:
    """Returns one app, its secret sealed, or None."""
    sql = """
        select id, client_id, client_secret, material from app
        where provider = :provider and name = :name
        """
    row = run(db, sql, provider=provider, name=name).first()
    if row is None:
        return None
    return App(row.id, row.client_id, _sealed(row.client_secret), _sealed(row.material))


def _sealed(value: bytes | None) -> Sealed | None:
    return Sealed(bytes(value)) if value else None


def names(db: Db) -> set[tuple[str, str]]:
    """Returns provider and name of every app."""
    return {(row[0], row[1]) for row in run(db, "select provider, name from app")}


def brought(db: Db) -> dict[tuple[str, str], frozenset[str]]:
    """Returns every app by provider and name, with the placeholders that it has values for."""
    found = run(db, "select provider, name, material_names from app")
    mark = "placeholders."
    return {
        (row[0], row[1]): frozenset(n.removeprefix(mark) for n in row[2] if n.startswith(mark))
        for row in found
    }


def put(
    db: Db,
    provider: str,
    name: str,
    client_id: str,
    client_secret: Sealed | None,
    material: Sealed | None = None,
    material_names: Sequence[str] = (),
) -> None:
    """Stores an app as a whole. Its pause ends, and connections that waited for it are due again."""
    sql = """
        insert into app (id, provider, name, client_id, client_secret, material, material_names)
        values (:id, :provider, :name, :client_id, :client_secret, :material, :material_names)
        on conflict (provider, name) do update set client_id = excluded.client_id,
            client_secret = excluded.client_secret, material = excluded.material,
            material_names = excluded.material_names, updated_at = refresher_now()
        """
    run(
        db,
        sql,
        id=app_id(provider, name),
        provider=provider,
        name=name,
        client_id=client_id,
        client_secret=client_secret,
        material=material,
        material_names=list(material_names),
    )
    pause_list.end(db, Chosen(provider, app_name=name, scope="app"))
    _resume_waiting(db, provider, name)


def delete(db: Db, provider: str, name: str) -> bool:
    """Deletes an app, with its pause and whatever was still to be told of it; False if there is none.

    Its connections stay, and are parked when they are due, until an app of that name is stored.
    """
    named = {"provider": provider, "name": name, "key": f"{provider}/{name}"}
    gone = run(db, "delete from app where provider = :provider and name = :name", **named)
    if gone.rowcount == 0:
        return False
    run(
        db,
        "delete from pause where scope = 'app' and provider = :provider and app_name = :name",
        **named,
    )
    run(
        db,
        "update notice set state = 'well', told = 'well', look_at = null "
        "where scope = 'app' and key = :key",
        **named,
    )
    return True


def used_by(db: Db, provider: str, name: str, *, most: int = 10_001) -> int:
    """Returns how many living connections use an app, counted up to `most`."""
    sql = (
        "select count(*) from (select 1 from connection where provider = :provider "
        "and app_name = :name and deleted_at is null and root_id is null limit :most) c"
    )
    return one(db, int, sql, provider=provider, name=name, most=most)


def every(db: Db) -> Sequence[AppView]:
    """Returns all apps in the order of their names."""
    sql = """
        select a.provider, a.name, a.client_id, a.client_secret is not null as has_secret,
            a.material_names as material,
            p.until as paused_until, p.reason as pause_reason, a.updated_at
        from app a left join lateral (
            select until, reason from pause where scope = 'app' and provider = a.provider
                and app_name = a.name and refusals > 0 order by until desc limit 1) p on true
        order by a.provider, a.name
        """
    return many(db, AppView, sql)


def _resume_waiting(db: Db, provider: str, name: str) -> None:
    sql = """
        update refresh_schedule s
        set state = 0, due_at = refresher_now(), parked_reason = null
        from connection c
        where c.id = s.connection_id and s.state = 2
          and s.parked_reason in ('app_not_configured', 'unbuildable_request')
          and c.provider = :provider and c.app_name = :name
        returning s.connection_id
        """
    resumed = run(db, sql, provider=provider, name=name).scalars()
    append(db, [Event(id_, "resumed", reason="its app is stored") for id_ in resumed])
