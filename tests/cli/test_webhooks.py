"""`refresher webhooks`: endpoints, their secrets, test deliveries, replays, and what goes wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook

from refresher.rules.connection import connection_id
from refresher.rules.notices import Kind
from refresher.runtime.services import Services, build
from refresher.settings import load
from refresher.store import outbox
from tests.cli.kit import Cli, Ran
from tests.notify.webhooks import kit
from tests.notify.webhooks.receiver import Receiver, Reply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    made = Receiver()
    yield made
    made.close()


@contextmanager
def services(cli: Cli) -> Iterator[Services]:
    """The services that a scheduler of this command line's deployment has."""
    keys = ("DATABASE_URL", "REFRESHER_ENCRYPTION_KEYS")
    url, key = (cli.env[name] for name in keys)
    made = build(load(database_url=url, encryption_keys=key))
    try:
        yield made
    finally:
        made.close()


def happen(services: Services, connection: UUID) -> str:
    """Has something happen to a connection; returns the event's id."""
    with services.database.transaction() as db:
        news = outbox.News(("connection", str(connection)), Kind.RECOVERED, {})
        (id_,) = outbox.append(db, [news])
    return str(id_)


def deliver_all(services: Services) -> None:
    """Sends what is due."""
    while claims := kit.claims(services):
        kit.deliver(services, claims)


def add(cli: Cli, url: str, *more: str) -> dict[str, str]:
    """Adds an endpoint for everything, by default of "org"."""
    arguments = more or ("--organization", "org")
    ran = cli("webhooks", "add", url, "--event", "*", *arguments, "--json")
    assert ran.code == 0, ran.stderr
    added: dict[str, str] = ran.json
    return added


def test_an_endpoint_is_added_tried_and_told(cli: Cli, receiver: Receiver) -> None:
    """Its secret is shown once, a test arrives signed with it, and what happens next follows."""
    added = add(cli, receiver.url)
    tested = cli("webhooks", "test", added["id"][:13], "--json")
    assert (tested.code, tested.json["delivered"], tested.json["http_status"]) == (0, True, 200)
    (got,) = receiver.received
    read = Webhook(added["secret"]).verify(got.body, got.headers)
    assert (read["type"], got.id) == ("webhook.test", tested.json["webhook_id"])
    assert read["data"]["webhook_id"] == added["id"]
    cli.connect("c1")
    with services(cli) as running:
        event = happen(running, connection_id("org", "acme", "c1"))
        deliver_all(running)
    (listed,) = cli("webhooks", "deliveries", added["id"], "--json").lines
    assert (listed["event_id"], listed["state"], listed["http_status"]) == (event, "delivered", 200)
    for command in ("list", f"show {added['id']}", f"deliveries {added['id']}", "list --json"):
        ran = cli("webhooks", *command.split())
        assert ran.code == 0
        assert added["secret"] not in ran.stdout + ran.stderr
        assert added["secret"].removeprefix("whsec_") not in ran.stdout + ran.stderr


def test_a_test_that_fails_says_why(cli: Cli, receiver: Receiver) -> None:
    """The exit code is 1, and the sentence says what came back; a disabled endpoint may be tried."""
    added = add(cli, receiver.url)
    receiver.answer = lambda _: Reply(302, {"Location": "http://10.0.0.7/"})
    ran = cli("webhooks", "test", added["id"])
    assert (ran.code, ran.stdout.split(" (")[0]) == (
        1,
        "not delivered: it redirects to 10.0.0.7 with status 302; redirects are never followed",
    )
    receiver.answer = lambda _: Reply(410)
    assert "410 Gone" in cli("webhooks", "test", added["id"]).stdout
    receiver.answer = lambda _: Reply(200, body=b"x" * 10_000_000)
    ran = cli("webhooks", "test", added["id"])
    assert (ran.code, "not read to the end" in ran.stdout) == (0, True)


def test_two_secrets_are_valid_during_a_rotation(cli: Cli, receiver: Receiver) -> None:
    """Messages carry both signatures until the old secret's end; with 0 seconds it ends now."""
    added = add(cli, receiver.url)
    cli.connect("c1")
    rotated = cli("webhooks", "rotate-secret", added["id"], "--json").json
    assert rotated["secret"] not in {added["secret"], ""}
    left = datetime.fromisoformat(rotated["previous_secret_until"]) - datetime.now(UTC)
    assert 86_000 < left.total_seconds() <= 86_400
    with services(cli) as running:
        happen(running, connection_id("org", "acme", "c1"))
        deliver_all(running)
        cli("webhooks", "test", added["id"])
        for both in receiver.received[-2:]:
            for secret in (added["secret"], rotated["secret"]):
                Webhook(secret).verify(both.body, both.headers)
            assert len(both.headers["webhook-signature"].split(" ")) == 2
        once_more = cli(
            "webhooks", "rotate-secret", added["id"], "--overlap-seconds", "0", "--json"
        )
        happen(running, connection_id("org", "acme", "c1"))
        deliver_all(running)
    alone = receiver.received[-1]
    assert len(alone.headers["webhook-signature"].split(" ")) == 1
    Webhook(once_more.json["secret"]).verify(alone.body, alone.headers)


def test_replays_send_again_what_is_named(cli: Cli, receiver: Receiver) -> None:
    """By event, by time or all that failed; with the same webhook-ids, in the old order."""
    cli.connect("c1", "c2")
    one, two = (connection_id("org", "acme", name) for name in ("c1", "c2"))
    with services(cli) as running:
        before = happen(running, one)  # nobody was there to be told
        added = add(cli, receiver.url)
        deliver_all(running)
        receiver.received.clear()
        events = [happen(running, one), happen(running, one), happen(running, two)]
        deliver_all(running)
        assert sorted(receiver.ids) == sorted(events)

        def replayed(*options: str) -> list[str]:
            receiver.received.clear()
            ran = cli("webhooks", "replay", added["id"], *options, "--json")
            assert ran.code == 0, ran.stderr
            deliver_all(running)
            assert len(receiver.ids) == ran.json["replayed"]
            return receiver.ids

        assert replayed("--event", events[1]) == [events[1]]
        assert replayed("--event", before) == [before]
        everything = replayed("--since", "2020-01-01T00:00:00Z")
        assert [e for e in everything if e != events[2]] == [before, *events[:2]]
        assert replayed("--until", "2020-01-01") == []
        assert replayed("--failed") == []
        with running.database.transaction() as db:
            db.execute(text("update webhook_delivery set state = 4 where event_id = :id"),
                       {"id": events[2]})  # fmt: skip
        assert replayed("--failed") == [events[2]]


def test_a_disabled_endpoint_is_enabled_with_what_it_missed(cli: Cli, receiver: Receiver) -> None:
    """A replay of a disabled endpoint is refused; `enable` sends what was held."""
    added = add(cli, receiver.url)
    cli.connect("c1")
    receiver.answer = lambda _: Reply(410)
    with services(cli) as running:
        happen(running, connection_id("org", "acme", "c1"))
        deliver_all(running)
        replay = cli("webhooks", "replay", added["id"], "--failed")
        replay.refused(
            "is disabled (it answered 410 Gone)", f"webhooks enable {added['id']}", code=1
        )
        assert "disabled: it answered 410 Gone" in cli("webhooks", "list").stdout
        assert "webhooks enable" in cli("webhooks", "show", added["id"]).stderr
        mends = [f["mend"] for f in cli("doctor", "--json").json["findings"]]
        assert f"see to it, then `refresher webhooks enable {added['id']}`" in mends
        receiver.answer = lambda _: Reply()
        assert cli("webhooks", "enable", added["id"], "--json").json["released"] == 1
        deliver_all(running)
    assert [d["state"] for d in deliveries(cli, added["id"])] == ["delivered"]
    assert len(deliveries(cli, added["id"], "--state", "failed")) == 0


def deliveries(cli: Cli, endpoint: str, *options: str) -> list[dict[str, object]]:
    """Returns an endpoint's messages as the command lists them."""
    return list(cli("webhooks", "deliveries", endpoint, *options, "--json").lines)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("hooks", "url must begin with https:// and name a server"),
        ("", "url must begin with https://"),
        ("ftp://hooks.example", "url must begin with https://"),
        ("http://hooks.example/x", "url must begin with https://"),
        ("http://localhost.evil.example/x", "ids and names of accounts travel there"),
        ("https://user:pw@hooks.example/x", "url must not hold a user or a password"),
        ("https://hooks.example/#x", "url must not hold a fragment"),
        ("https://hooks.example/a b", "url holds a character"),
        ("https://10.0.0.7/hooks", "10.0.0.7 (private)"),
        ("https://[fd00::1]/hooks", "fd00::1 (private)"),
        ("https://169.254.169.254/latest", "(metadata)"),
        ("https://hooks.example/" + "x" * 2_048, "url is longer than 2,048 characters"),
    ],
)
def test_a_url_that_cannot_be_is_one_sentence(cli: Cli, url: str, part: str) -> None:
    """A bad URL, plain http and private addresses are refused when the endpoint is added."""
    ran = cli("webhooks", "add", url, "--event", "*", "--operator")
    ran.refused(part)
    assert "tokens" not in ran.stderr
    assert cli("webhooks", "list", "--json").lines == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--event", "conection.*", "--operator"], ["did you mean", '"connection.*"']),
        (["--event", "connection.recoverd", "--operator"], ['"connection.recovered"']),
        (["--event", "*"], ["--organization ID", "--operator"]),
        (["--event", "*", "--operator", "--organization", "x"], ["--organization ID"]),
        (["--event", "*", "--organization", " "], ["organization is empty"]),
        (["--event", "*", "--operator", "--description", "a\x1b[2J"], ["description is empty"]),
        (["--operator"], ["missing option '--event'"]),
    ],
)
def test_an_endpoint_that_says_too_little_is_one_sentence(
    cli: Cli, arguments: list[str], parts: list[str]
) -> None:
    """An unknown event gets the nearest name, and whose endpoint it is must be said."""
    cli("webhooks", "add", "http://127.0.0.1:9/", *arguments).refused(*parts)


def test_the_endpoint_of_another_organization_is_not_found(cli: Cli) -> None:
    """With --organization, an endpoint of another one is as good as none, whatever the command."""
    added = add(cli, "http://127.0.0.1:9/hooks")["id"]
    for command in ("show", "enable", "test", "remove", "rotate-secret", "deliveries", "replay"):
        options = ["--failed"] if command == "replay" else []
        ran = cli("webhooks", command, added, "--organization", "another", *options)
        ran.refused("no webhook endpoint of organization another", "`refresher webhooks list`")
    assert cli("webhooks", "list", "--organization", "another", "--json").lines == []


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ("0199a2b4", "no webhook endpoint is called 0199a2b4"),
        ("00000000-0000-7000-8000-000000000000", "no webhook endpoint is called"),
        ("abc", "8 characters or more"),
        ("nonsense", '"nonsense" is no webhook endpoint\'s id'),
        ("a\x1b[2J", "this is no webhook endpoint's id"),
    ],
)
def test_an_unknown_endpoint_is_one_sentence(cli: Cli, given: str, part: str) -> None:
    """Whatever is given for an id, what is not found ends in a sentence."""
    for command in (["show"], ["test"], ["enable"], ["replay", "--failed"], ["remove", "--yes"]):
        cli("webhooks", *command, given).refused(part)


def test_a_replay_that_names_nothing_or_something_foreign_is_refused(cli: Cli) -> None:
    """What to send must be said, be known, and be the endpoint's own organization's."""
    added = add(cli, "http://127.0.0.1:9/hooks")["id"]
    cli.connect("c1", organization_id="another")

    def replay(*options: str) -> Ran:
        return cli("webhooks", "replay", added, *options)

    replay().refused("--event ID, --since INSTANT")
    replay("--since", "someday").refused('--since "someday" is no time')
    replay("--event", str(uuid4())).refused("no event has the id", code=1)
    replay("--event", "x").refused("'--event'")
    with services(cli) as running:
        event = happen(running, connection_id("another", "acme", "c1"))
    replay("--event", event).refused(event, "is not of organization org", code=1)


def test_removing_asks_first(cli: Cli) -> None:
    """Without a terminal --yes is needed; then the endpoint is gone with its messages."""
    added = add(cli, "http://127.0.0.1:9/hooks")["id"]
    cli("webhooks", "remove", added).refused("--yes")
    assert cli("webhooks", "remove", added, "--yes", "--json").json == {
        "id": added,
        "removed": True,
    }
    cli("webhooks", "show", added).refused("no webhook endpoint is called")
