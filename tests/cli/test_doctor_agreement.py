"""What runs and this terminal: `doctor` and `rotate` compare their keys and settings."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from uuid import uuid4

import pytest

from refresher.devkit.foundation import given
from refresher.runtime.cipher import key_id, new_key, parse_key
from refresher.runtime.liveness import Heartbeat
from refresher.runtime.services import build
from refresher.settings import load
from refresher.settings.shared import digests
from refresher.store import workers
from refresher.store.workers import RunsWith
from tests.cli.kit import Cli

Run = Callable[..., None]


def id_of(key: str) -> str:
    """The id of a key."""
    return key_id(parse_key(key)).hex()


@pytest.fixture
def run(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Has a scheduler live with these keys, and other settings than the command line."""
    with ExitStack() as stack:

        def start(keys: str, **settings: str) -> None:
            for name, value in {**cli.env, "REFRESHER_ENCRYPTION_KEYS": keys, **settings}.items():
                monkeypatch.setenv(name, value)
            services = build(load())
            heartbeat = Heartbeat(services, "scheduler")
            heartbeat.start()
            stack.callback(services.close)
            stack.callback(heartbeat.stop)
            for name in {*cli.env, *settings}:
                monkeypatch.delenv(name)

        yield start


def said(cli: Cli, check: str = "agreement") -> list[tuple[str, str]]:
    """What doctor says about this check."""
    findings = cli("doctor", "--json").json["findings"]
    return [(f["level"], f["message"]) for f in findings if f["check"] == check]


def test_a_process_that_has_the_same_is_well(cli: Cli, run: Run) -> None:
    """The same keys and settings are told as such, and no secret stands in the table."""
    cli.env["REFRESHER_LEAD_SHARE"] = "0.3"
    run(cli.env["REFRESHER_ENCRYPTION_KEYS"])
    assert [level for level, _ in said(cli)] == ["ok"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("theirs", "ours", "level", "part"),
    [
        ("new", "old", "fail", "cannot be opened"),
        ("old", "new,old", "fail", "what this one seals cannot be opened there"),
        ("new,old", "old", "fail", "what that one seals cannot be opened here"),
        ("new,old", "old,new", "warn", "both are known to both"),
    ],
)
def test_other_keys_are_told_by_their_ids(
    cli: Cli, run: Run, theirs: str, ours: str, level: str, part: str
) -> None:
    """Who runs with which key, and what follows, in one sentence without a key."""
    keys = {"old": cli.env["REFRESHER_ENCRYPTION_KEYS"], "new": new_key()}
    theirs, ours = (",".join(keys[n] for n in names.split(",")) for names in (theirs, ours))
    run(theirs)
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = ours
    ((told, message),) = said(cli)
    assert told == level
    assert part in message
    for key in (theirs, ours):
        assert id_of(key.split(",")[0]) in message
    assert not any(key in cli("doctor").stdout for key in keys.values())


@pytest.mark.parametrize(
    ("theirs", "ours", "code"),
    [
        ("old", "old", 0),
        ("new,old", "new,old", 0),
        ("new", "old", 1),
        ("old", "new,old", 1),
        ("new,old", "old,new", 1),
    ],
)
def test_a_rotation_away_from_what_runs_is_refused(
    cli: Cli, run: Run, theirs: str, ours: str, code: int
) -> None:
    """To a key that no process knows, or to an older one, it goes with --force only."""
    keys = {"old": cli.env["REFRESHER_ENCRYPTION_KEYS"], "new": new_key()}
    cli.connect("c1")
    run(",".join(keys[n] for n in theirs.split(",")))
    cli.env["REFRESHER_ENCRYPTION_KEYS"] = ",".join(keys[n] for n in ours.split(","))
    ran = cli("encryption", "rotate")
    assert ran.code == code
    if code:
        ran.refused("the scheduler on", "this terminal with", "--force", code=1)
        assert cli("encryption", "rotate", "--force").code == 0


def test_other_settings_are_told_by_their_names(cli: Cli, run: Run) -> None:
    """Mails go out where the work is done: what this terminal says of them is left away."""
    cli("recipients", "add", "ann@acme.example", "--organization", "org")
    assert any("only printed" in message for _, message in said(cli, "mail"))
    run(
        cli.env["REFRESHER_ENCRYPTION_KEYS"],
        REFRESHER_MAIL_TRANSPORT="smtp",
        REFRESHER_MAIL_SMTP_URL="smtps://user:hunter2@mail.example",
        REFRESHER_MAIL_FROM="Acme <no-reply@acme.example>",
    )
    ((level, message),) = said(cli)
    assert level == "warn"
    assert "REFRESHER_MAIL_FROM, REFRESHER_MAIL_TRANSPORT" in message
    assert not any("only printed" in message for _, message in said(cli, "mail"))


def test_digests_hold_no_secret_and_nothing_of_one_process(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults, secrets, paths, ports and what only the web process reads are not compared."""
    monkeypatch.delenv("REFRESHER_ALLOW_INSECURE_HOSTS", raising=False)
    monkeypatch.setenv("REFRESHER_MAIL_HTTP_KEY", "hunter2")
    monkeypatch.setenv("DATABASE_URL", cli.env["DATABASE_URL"])
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("REFRESHER_WEB_THREADS", "3")
    monkeypatch.setenv("REFRESHER_ATTEMPTS", "3")
    assert digests(load()) == {}
    monkeypatch.setenv("REFRESHER_ATTEMPTS", "4")
    monkeypatch.setenv("REFRESHER_NOTIFICATION_EMAIL__ENABLED", "false")
    assert set(digests(load())) == {
        "REFRESHER_ATTEMPTS",
        "REFRESHER_NOTIFICATION_EMAIL__ENABLED",
    }


def test_a_process_that_ended_or_is_older_says_nothing(cli: Cli, run: Run) -> None:
    """Only those that live and tell what they have are compared; commands are none of them."""
    del run
    services = build(load(database_url=cli.env["DATABASE_URL"], encryption_keys=new_key()))
    with services.database.transaction() as db:
        facts = RunsWith(["feed"], {})
        ended, command = uuid4(), uuid4()
        workers.register(db, ended, role="worker", host="h", process_id=1, runs_with=facts)
        workers.stopped(db, ended)
        workers.register(db, command, role="command", host="h", process_id=2, runs_with=facts)
        workers.register(db, uuid4(), role="worker", host="h", process_id=3)
    services.close()
    assert said(cli) == []


def test_the_environment_of_up_is_handed_on(cli: Cli) -> None:
    """Other terminals find mail, keys and the given database; ports and tokens stay here."""
    del cli
    handed = given(
        {
            "DATABASE_URL": "postgresql://db.example/x",
            "REFRESHER_ENCRYPTION_KEYS": "k",
            "refresher_mail_transport": "smtp",
            "REFRESHER_MAIL_SMTP_URL": "smtp://mail.example",
            "REFRESHER_NOTIFICATION_EMAIL__ENABLED": "true",
            "REFRESHER_MAIL_FROM": "",
            "REFRESHER_STATUS_TOKEN": "t",
            "REFRESHER_API_KEY": "rfr_x",
            "PORT": "1",
            "HOME": "/root",
        }
    )
    assert handed == {
        "REFRESHER_DATABASE_URL": "postgresql://db.example/x",
        "REFRESHER_ENCRYPTION_KEYS": "k",
        "REFRESHER_MAIL_TRANSPORT": "smtp",
        "REFRESHER_MAIL_SMTP_URL": "smtp://mail.example",
        "REFRESHER_NOTIFICATION_EMAIL__ENABLED": "true",
    }
