"""A deployment like an operator's, with one of each trouble: what pictures and tests of access look at.

Everything is as the clock stands: 14:32:07 UTC on a day in November. The web process is this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from refresher import catalogue
from refresher.connections import api_keys
from refresher.rules import policy
from refresher.rules.access import Scope, somebody
from refresher.rules.connection import Secret, connection_id
from refresher.store import oauth_apps, workers
from tests.dashboard.kit import Person
from tests.web.kit import Site
from tests.world import World

AT = datetime(2026, 11, 29, 14, 32, 7, tzinfo=UTC)
SQL = Path(__file__).with_name("demo.sql")
SETTINGS = {
    "integration_refresh": {"enabled": True, "transport": "in_process"},
    "public_url": "https://refresher.example",
    "max_leased": 4_000,
}
APPS = ("google", "hubspot", "microsoft", "salesforce", "quickbooks", "xero", "zoho", "facebook")
APPS_TOO = ("linkedin",)
PROCESSES = ("scheduler", "scheduler", "worker", "worker", "worker", "web")
HOSTS = ("sched-1", "sched-2", "work-1", "work-2", "work-3", "web-1")
DAY = 86_400
ACCOUNTS = (
    ("org-2041", "google", "118044210377", "Support inbox", 3_599),
    ("org-2041", "google", "118044210912", "Calendar, front desk", 720),
    ("org-2041", "hubspot", "44871902", "Newsletter audience", 1_800),
    ("org-2041", "hubspot", "44871377", "Sales pipeline", 1_800),
    ("org-2041", "xero", "t_9f21c0de77", "Ledger, main branch", 540),
    ("org-2077", "quickbooks", "9130357712004826", "Ledger, workshop", 243),
    ("org-2077", "quickbooks", "9130357712019944", "Ledger, online shop", 300),
    ("org-2077", "zoho", "882913004512", "Leads, spring fair", 480),
    ("org-2102", "salesforce", "00D5g000004bXyE", "Customer records", 7_200),
    ("org-2102", "facebook", "page_5120443", "Shop page", 24 * DAY),
    ("org-2102", "linkedin", "urn:4410078", "Company page", 31 * DAY),
    ("org-2110", "slack", "T04KQ1TR2", "Alerts workspace", 25_200),
    ("org-2060", "hubspot", "44870001", None, 1_800),
    ("org-2061", "microsoft", "ms-0001", None, 3_599),
)
BULK_JOB = 1
REFUSED = UUID(bytes=md5(b"recipient blocked", usedforsecurity=False).digest())
ENDPOINT = UUID(bytes=md5(b"endpoint net", usedforsecurity=False).digest())
LIFE, STORED_AGO = 3_599.0, 26.43 * 60
"""Of the access token of the connection whose page is looked at, in seconds."""
SCOPES = {"google": "gmail.readonly calendar.events", "hubspot": "content contacts.read"}


@dataclass
class Demo:
    """The deployment, the operator's browser, the ids of connections by external id, and of keys."""

    site: Site
    person: Person
    ids: dict[str, UUID]
    key_ids: dict[str, str]
    endpoint: UUID = ENDPOINT
    """The webhook endpoint that is disabled."""


@contextmanager
def running(database_url: str) -> Iterator[Demo]:
    """Fills an empty database, and serves its dashboard within the block."""
    world = World(database_url, **SETTINGS)
    world.set_now(AT)
    world.services = replace(world.services, catalogue=catalogue.load())
    with Site.opened(world) as site, _processes(world):
        # The kit of the API's tests calls every entry one of a file.
        object.__setattr__(world.services.catalogue, "_origins", {})
        keys = {name: _key(world, name) for name in ("laptop", "billing", "crm")}
        ids = {account[2]: _account(world, *account) for account in ACCOUNTS}
        key_ids = {name: key.split("_")[1] for name, key in keys.items()}
        _fill(world, key_ids)
        person = Person(site)
        person.sign_in(keys["laptop"])
        yield Demo(site, person, ids, key_ids)
    world.close()


def _key(world: World, name: str) -> str:
    scopes = {
        "laptop": {Scope.READ, Scope.WRITE, Scope.ADMIN},
        "billing": {Scope.READ, Scope.WRITE},
        "crm": {Scope.READ, Scope.TOKEN},
    }
    called = {"laptop": "ops-laptop", "billing": "billing", "crm": "crm-backend"}[name]
    made = api_keys.create(
        world.services.database, name=called, scopes=scopes[name], by=somebody("cli", "ann")
    )
    return made.text.reveal()


def _account(
    world: World, organization: str, provider: str, external_id: str, name: str | None, life: int
) -> UUID:
    entry = world.services.catalogue[provider]
    if provider in {*APPS, *APPS_TOO}:
        with world.services.database.transaction() as db:
            id_ = oauth_apps.app_id(provider, "default")
            secret = world.services.cipher.seal(Secret("demo-app-secret"), id_, "client_secret")
            oauth_apps.put(db, provider, "default", f"{provider}-client-id", secret)
    host = {"host": entry.host_example} if entry.host_example else {}
    return world.take(
        {
            "organization_id": organization,
            "provider": provider,
            "external_id": external_id,
            "access_token": f"demo-access-token-of-{external_id}",
            "refresh_token": f"demo-refresh-token-of-{external_id}",
            "expires_in": life,
            "scopes": SCOPES.get(provider, ""),
            **host,
            **({"name": name} if name else {}),
        }
    )


def _fill(world: World, key_ids: dict[str, str]) -> None:
    """Runs the script; a key's name behind a colon stands for its id."""
    script, due_in = SQL.read_text(encoding="utf-8"), _due_in(world)
    for name, id_ in key_ids.items():
        script = script.replace(f":{name}'", f"{id_}'")
    with world.services.database.transaction() as db:
        for statement in script.split(";\n"):
            if lines := [s for s in statement.splitlines() if s and not s.startswith("--")]:
                sql = "\n".join(lines).replace("::", "\\:\\:")
                db.execute(text(sql), {"due_in": due_in} if ":due_in" in sql else {})


def _due_in(world: World) -> float:
    """When the one whose page is looked at is refreshed next, as `explain` computes it."""
    google = world.services.catalogue["google"]
    spread = policy.stable_spread(connection_id("org-2041", "google", "118044210377"), 1_168)
    lead = policy.lead(world.services.policy, google, LIFE, spread)
    return LIFE - STORED_AGO - lead


@contextmanager
def _processes(world: World) -> Iterator[None]:
    """Six processes that live: each holds its lock."""
    database = world.services.database
    with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as session:
        for n, (role, host) in enumerate(zip(PROCESSES, HOSTS, strict=True)):
            with database.transaction() as db:
                lock_key = workers.register(db, UUID(int=n + 1), role=role, host=host, process_id=7)
            workers.take_lock(session, lock_key)
        with database.transaction() as db:
            db.execute(
                text(
                    "update worker set started_at = refresher_now() - interval '3 days', "
                    "seen_at = refresher_now() - 0.3 * interval '1 second'"
                )
            )
        yield
