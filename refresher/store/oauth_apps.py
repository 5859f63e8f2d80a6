"""The table `app`: our OAuth clients at the providers, secrets sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID, uuid5

from refresher.rules.connection import App, Sealed
from refresher.store import pause_list
from refresher.store.events import Event, append
from refresher.store.pause_list import Chosen
from refresher.store.session import Db, first, many, one, run

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
            material_names = excluded.material_names, updated_at = refresher_now(),
            registered = null, secret_ends_at = null
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


@dataclass(frozen=True, slots=True)
class NewApp:
    """A client as it is stored, its secret sealed."""

    provider: str
    name: str
    client_id: str
    client_secret: Sealed | None


@dataclass(frozen=True, slots=True)
class Registration:
    """How our client at an issuer came to be: `how` is None where somebody gave it by hand."""

    client_id: str
    how: str | None
    is_over: bool
    """Whether its secret has ended."""
    is_fresh: bool
    """Whether it was stored within the last hour."""


def registration(db: Db, provider: str, name: str) -> Registration | None:
    """Returns how an app came to be; None where there is none."""
    sql = """
        select client_id, registered as how, updated_at > refresher_now() - interval '1 hour'
                as is_fresh, coalesce(secret_ends_at <= refresher_now(), false) as is_over
        from app where provider = :provider and name = :name
        """
    return first(db, Registration, sql, provider=provider, name=name)


def register(
    db: Db, app: NewApp, how: str, ends_epoch: float | None, *, instead_of: str | None
) -> bool:
    """Stores a client that registered itself; False where another process was sooner.

    `ends_epoch` is when its secret ends, in seconds since 1970. `instead_of` is the id of the client
    before, None where there was none. Its pause ends.
    """
    sql = """
        insert into app (id, provider, name, client_id, client_secret, registered, secret_ends_at)
        values (:id, :provider, :name, :client_id, :client_secret, :how, to_timestamp(:ends_epoch))
        on conflict (provider, name) do update set client_id = excluded.client_id,
            client_secret = excluded.client_secret, material = null, material_names = '{}',
            registered = excluded.registered, secret_ends_at = excluded.secret_ends_at,
            updated_at = refresher_now()
        where app.client_id = :instead_of
        returning id
        """
    given = {**asdict(app), "how": how, "ends_epoch": ends_epoch, "instead_of": instead_of}
    if run(db, sql, id=app_id(app.provider, app.name), **given).first() is None:
        return False
    pause_list.end(db, Chosen(app.provider, app_name=app.name, scope="app"))
    _resume_waiting(db, app.provider, app.name)
    return True


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


_VIEW = """
    select a.provider, a.name, a.client_id, a.client_secret is not null as has_secret,
        a.material_names as material, p.until as paused_until, p.reason as pause_reason, a.updated_at
    from app a left join lateral (
        select until, reason from pause where scope = 'app' and provider = a.provider
            and app_name = a.name and refusals > 0 order by until desc limit 1) p on true
"""


def every(db: Db) -> Sequence[AppView]:
    """Returns all apps in the order of their names."""
    return many(db, AppView, f"{_VIEW} order by a.provider, a.name")


def show(db: Db, provider: str, name: str) -> AppView | None:
    """Returns one app, or None."""
    sql = f"{_VIEW} where a.provider = :provider and a.name = :name"
    return first(db, AppView, sql, provider=provider, name=name)


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
