"""Slots as the API and the command line show them: by name to who asks, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from refresher.rules.access import Scope
from refresher.rules.slots import slot_id
from tests.cli.kit import Cli
from tests.connections.registration.kit import NAMES, Place
from tests.connections.registration.slots import (
    ANSWER,
    APART,
    TOGETHER,
    rotating,
    user_is_dead,
    whole,
)
from tests.guard import Guard
from tests.web.kit import Site, refused

Opened = Callable[..., Place]
TOKEN = "/v1/connections/{}/token"


@pytest.fixture
def place(opened: Opened) -> Place:
    """A place whose provider rotates, and has a slot that is refreshed apart."""
    made = opened(APART)
    made.server.reply = rotating
    return made


@pytest.fixture
def site(place: Place, site_of: Callable[[Place], Site]) -> Site:
    """An API over it."""
    return site_of(place)


def user_of(id_: UUID) -> UUID:
    """Returns the id of the slot's own row."""
    return slot_id(id_, "user")


def test_the_token_route_serves_a_slot_by_its_name(place: Place, site: Site) -> None:
    """Reading, reporting and asking for more life are as with a main token."""
    id_ = whole(place)
    served = site("GET", TOKEN.format(id_), params={"slot": "user"}).json()
    assert (served["access_token"], served["slot"]) == ("user-1", "user")
    assert site("GET", TOKEN.format(id_)).json()["slot"] is None
    mark = sha256(b"user-1").hexdigest()[:16]
    place.pass_time(60)
    again = site("POST", TOKEN.format(id_), json={"slot": "user", "rejected": mark}).json()
    assert again["access_token"] == "user-2"
    assert site("GET", TOKEN.format(id_)).json()["access_token"] == "bot-1"


def test_an_unknown_slot_is_a_404_with_those_that_there_are(place: Place, site: Site) -> None:
    """Its own code: the connection is there."""
    id_ = whole(place)
    told = refused(site("GET", TOKEN.format(id_), params={"slot": "usr"}), 404, "no_such_slot")
    assert told["detail"].endswith('called "usr" (did you mean "user"?): it has user')


def test_another_organization_s_slot_does_not_exist(place: Place, site: Site) -> None:
    """Neither by the name, nor by the id of its row; and what is no slot is no more than that."""
    id_ = whole(place)
    foreign = site.new_key([Scope.TOKEN, Scope.READ], "another")
    for path in (f"{TOKEN.format(id_)}?slot=user", TOKEN.format(user_of(id_))):
        refused(site("GET", path, key=foreign), 404, "no_such_connection")
    refused(site("GET", f"/v1/connections/{user_of(id_)}", key=foreign), 404, "no_such_connection")


def test_a_connection_tells_of_its_slots_and_lists_hide_them(place: Place, site: Site) -> None:
    """Each has an id of its own, under which its state and its events are."""
    id_ = whole(place)
    (seen,) = site("GET", "/v1/connections").json()["items"]
    assert (seen["id"], seen["slot"]) == (str(id_), "")
    slot = seen["slots"]["user"]
    assert (slot["id"], slot["status"]) == (str(user_of(id_)), "active")
    both = site("GET", "/v1/connections", params={"slots": "true", "limit": 1}).json()
    rest = {"slots": "true", "limit": 1, "cursor": both["next_cursor"]}
    (second,) = site("GET", "/v1/connections", params=rest).json()["items"]
    assert (second["slot"], second["slot_of"], second["external_id"]) == ("user", str(id_), "1042")
    events = site("GET", f"/v1/connections/{slot['id']}/events").json()["items"]
    assert [event["kind"] for event in events] == ["imported"]
    ending = site("POST", f"/v1/connections/{slot['id']}/refresh").json()
    assert ending["outcome"] == "refreshed"


@pytest.mark.parametrize("way", ["tokens", "answer"])
def test_a_resume_link_of_a_dead_slot_takes_tokens_for_it(
    place: Place, site: Site, way: str
) -> None:
    """By themselves they are the slot's; the main token is another. A whole answer brings both."""
    id_ = whole(place)
    place.server.reply = user_is_dead
    place.pass_time(7200)
    for _ in range(3):
        place.tick()
        place.pass_time(60)
    assert place.row(user_of(id_)).status == "reconnect_required"
    before = place.row(id_).access_token

    link = site("POST", f"/v1/connections/{user_of(id_)}/resume-link").json()
    tokens = {"access_token": "user-7", "refresh_token": "user-refresh-7", "expires_in": 3600}
    user = {**ANSWER["authed_user"], **tokens}
    sent = tokens if way == "tokens" else {"answer": {**ANSWER, "authed_user": user}}
    assert site("POST", link["path"], json={"tokens": sent}).status_code == 200

    served = site("GET", TOKEN.format(id_), params={"slot": "user"}).json()
    assert served["access_token"] == "user-7"
    assert (place.row(id_).access_token == before) == (way == "tokens")


@pytest.fixture
def cli(place: Place, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command line on the database and the providers file of the place."""
    for name in ("DATABASE_URL", "REFRESHER_API_URL", "REFRESHER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    place.services.database.simulated_now = None
    return Cli(tmp_path, guard.warm, dict(place.env))


def test_the_command_line_prints_and_names_slots(place: Place, cli: Cli) -> None:
    """`token --slot`, stored and fresh; `explain`, `inspect` and `events` say what there is."""
    line = {**NAMES, "answer": ANSWER}
    assert cli("connections", "import", cli.file("lines.jsonl", [line])).code == 0
    id_ = whole(place)
    assert cli("token", str(id_), "--slot", "user").stdout == "user-1\n"
    assert cli("token", str(id_), "--slot", "user", "--min-ttl", "7201").stdout == "user-2\n"
    told = cli("token", str(id_), "--slot", "usr")
    assert (told.code, told.stdout) == (1, "")
    assert 'no slot is called "usr" (did you mean "user"?): it has user' in told.stderr

    own = str(user_of(id_))
    assert f'Its slot "user" is {own}, and is refreshed apart.' in cli("explain", str(id_)).stdout
    assert f'It is the slot "user" of {id_}.' in cli("explain", own).stdout
    assert cli("inspect", own, "--json").json["slot"] == "user"
    assert f"`refresher events {own}`" in cli("events", str(id_)).stderr
    listed = cli("connections", "list", "--slots", "--json").stdout
    assert (listed.count('"slot":"user"'), cli("connections", "list", "--count").stdout) == (
        1,
        "1\n",
    )


def test_the_command_line_prints_a_slot_that_came_together(
    opened: Opened, tmp_path: Path, guard: Guard
) -> None:
    """Out of what is stored with the pair; `--json` has no slot's token beside the main one."""
    place = opened(TOGETHER)
    place.services.database.simulated_now = None
    id_ = whole(place, answer={**ANSWER, "more": {"csrf": {"access_token": "csrf-1"}}})
    cli = Cli(tmp_path, guard.warm, dict(place.env))
    assert cli("token", str(id_), "--slot", "csrf").stdout == "csrf-1\n"
    assert "csrf-1" not in cli("token", str(id_), "--json").stdout
    assert (
        'no token came for its slot "csrf"'
        in cli(
            "token", str(place.hand_in(external_id="2", expires_in=3600)), "--slot", "csrf"
        ).stderr
    )
