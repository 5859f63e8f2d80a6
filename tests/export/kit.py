"""Two installations, each with a database and keys of its own, and what moves between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from refresher.catalogue import Catalogue
from refresher.cli.import_export import Incoming
from refresher.cli.import_run import Counts, ImportLine, ImportRun
from refresher.connections import exporting, lifecycle
from refresher.connections.exporting import Export
from refresher.rules.access import Actor
from refresher.rules.export_format import Tokens
from refresher.rules.providers import ClientAuth, Provider, Slot
from refresher.runtime.receiving_key import ReceivingKey
from refresher.store.exporting import Which, pages, snapshot
from tests.world import World, refused

ANN = Actor("cli:ann")
KEY = ReceivingKey.new()
ODD = "Zoë 👩‍👩‍👧 \N{RIGHT-TO-LEFT OVERRIDE}ירושלים"
HOSTED = Provider(
    "hosted",
    "https://{host}/{tenant}/token",
    client_auth=ClientAuth.NONE,
    host_pattern=r"[a-z]+\.hosted\.example",
    placeholders={"tenant": "[a-z]+"},
)


@dataclass
class Imported:
    """What came of an import, and the reason for each line that was not taken."""

    counts: Counts
    rejected: dict[int, str]
    is_whole: bool


def ready(world: World) -> World:
    """Gives acme a slot and kept fields, and adds a provider with a host and a tenant."""
    world.describe("acme", slots={"user": Slot(("authed_user",))}, keep_fields=("plan", "id_token"))
    known = {one.name: one for one in (*world.services.catalogue.providers, HOSTED)}
    world.services = replace(world.services, catalogue=Catalogue(known, {}))
    return world


def of_all_kinds(world: World) -> None:
    """Connects one of each kind that there is."""
    world.script.answer = lambda _: refused("invalid_grant")
    world.connect("dead", expires_in=0)
    world.tick()
    world.script.answer = world.script.rotate
    world.connect(
        "odd", name=ODD, scopes=["mail", "äß"], metadata={"n": 1.5, "deep": [{"a": None}]}
    )
    world.connect("long", access_token="a" * 60_000, refresh_token="r" * 60_000)
    user = {"access_token": "user-1", "refresh_token": "user-r-1", "expires_in": 900}
    world.connect("slotted", slots={"user": {**user, "scopes": ["search"]}})
    answer = {"access_token": "a", "refresh_token": "r", "expires_in": 60, "scope": "x y"}
    no = dict.fromkeys(("access_token", "refresh_token", "expires_in"))
    world.connect("kept", **no, answer={**answer, "plan": "gold", "id_token": "canary-id"})
    world.connect(
        "hosted", provider="hosted", host="eu.hosted.example", placeholders={"tenant": "x"}
    )
    world.connect("sibling", **no, root_external_id="odd")
    world.connect("connecting", **no, in_between_steps=True)
    world.connect("endless", expires_in=None, refresh_token_expires_in=7_776_000)
    for name, deeds in {
        "paused": (lifecycle.pause,),
        "disabled": (lifecycle.disable,),
        "both": (lifecycle.disable, lifecycle.pause),
        "deleted": (lifecycle.delete,),
    }.items():
        id_ = world.connect(name)
        for deed in deeds:
            deed(world.services.database, ANN, id_)
    world.run(
        "update connection set account = 'acct-1', account_label = 'Ann' where name is not null"
    )


def export(
    world: World, tokens: Tokens = Tokens.SEALED, *, paused: bool = False
) -> tuple[Export, dict[UUID, str]]:
    """Returns an export, and what it will tell of those that it leaves out."""
    which = Which()
    if paused:
        list(exporting.pause(world.services.database, which))
    told: dict[UUID, str] = {}
    key = KEY.public if tokens is Tokens.SEALED else None
    database, cipher = world.services.database, world.services.cipher
    made = Export(database, cipher, which, tokens, told.__setitem__, key, paused=paused)
    return made, told


def exported(world: World, tokens: Tokens = Tokens.SEALED, *, paused: bool = False) -> list[bytes]:
    """Returns the lines of an export; nothing may be left out."""
    made, told = export(world, tokens, paused=paused)
    lines = list(made.lines())
    assert told == {}
    return lines


def imported(
    world: World, lines: Iterable[bytes], key: ReceivingKey | None = KEY, *, force: bool = False
) -> Imported:
    """Imports lines."""
    rejected: dict[int, str] = {}

    def reject(line: ImportLine, reason: str) -> None:
        rejected[line.number] = reason

    incoming = Incoming(world.services, key=key, force=force)
    run = ImportRun(reject, lambda chunk: incoming.store(chunk, ANN), incoming.read)
    numbered = (ImportLine(n, raw.rstrip(b"\n")) for n, raw in enumerate(lines, start=1))
    list(run.run(incoming.lines(numbered)))
    return Imported(run.counts, rejected, incoming.is_whole(run.counts))


LOCAL = {"id", "slot_of", "is_begun", "parked_reason", "health"}
"""What follows from the rest, or is of a moment; sealed columns are compared opened."""


def stands(world: World) -> dict[str, Any]:
    """Returns how each connection stands, its tokens in the clear, by its external id."""
    with snapshot(world.services.database) as db:
        whole = [pair for page in pages(db, Which()) for pair in page]
    found: dict[str, Any] = {}
    for row, slots in whole:
        of_slots = {name: _clear(world, slot) for name, slot in slots.items()}
        found[row["external_id"]] = {**_clear(world, row), "slots": of_slots}
    return found


def _clear(world: World, row: Any) -> dict[str, Any]:
    plain = {n: v for n, v in row.items() if not isinstance(v, bytes) and n not in LOCAL}
    return {**plain, **exporting.opened(world.services.cipher, row, {})}


def values(lines: Iterable[bytes]) -> list[Any]:
    """Returns lines as values."""
    return [orjson.loads(line) for line in lines]


def health(world: World) -> dict[str, str]:
    """Returns the word of each connection."""
    return {v["external_id"]: v["health"] for v in values(exported(world, Tokens.NONE))[1:-1]}
