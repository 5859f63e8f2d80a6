"""`inspect`, `explain` and `replay`: how a connection stands or stood, and why."""

from typing import Any

import psycopg
import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli

NOBODY = ["inspect", "explain", "replay"]


def run_sql(cli: Cli, sql: str) -> None:
    """Runs a statement on the command line's database."""
    with psycopg.connect(cli.env["DATABASE_URL"].replace("+psycopg", "")) as db:
        db.execute(sql)


@pytest.fixture
def refreshed(cli: Cli, provider: FakeProvider) -> str:
    """The external id of a connection that was refreshed once."""
    grant = provider.admin.create_grants(1, prefix="real-")[0]
    name = grant.external_id
    cli.connect(name, access_token=grant.access_token, refresh_token=grant.refresh_token)
    assert cli("connections", "refresh", name).code == 0
    return name


def test_inspect_tells_why_the_row_is_due_when_it_is(cli: Cli, refreshed: str) -> None:
    """Lifetime, lead and jitter add up to the due time, and the attempt is taken apart into steps."""
    told = cli("inspect", refreshed, "--json").json
    assert (told["state"], told["status"]) == ("idle", "active")
    assert told["why"]["lifetime_seconds"] == 3600
    assert told["why"]["lead_seconds"] == 720
    assert abs(told["why"]["jitter_seconds"]) <= 72
    assert told["why"]["due_at"][:18] == told["due_at"][:18]
    attempt = told["events"][-1]
    assert [step["name"] for step in attempt["steps"]] == [
        "claimed",
        "begun",
        "replied",
        "committed",
    ]
    assert all(step["after_seconds"] >= 0 for step in attempt["steps"][1:])
    assert 0 < attempt["exchange_seconds"] < attempt["elapsed_seconds"]
    shown = cli("inspect", refreshed).stdout
    assert "because lifetime 60 min, lead 12 min, jitter " in shown
    assert "claimed → begun +" in shown


def test_inspect_tells_how_it_stood(cli: Cli, refreshed: str) -> None:
    """`--at` shows the row as it was between the import and the refresh."""
    imported, ended = cli("inspect", refreshed, "--json").json["events"]
    then = cli(
        "inspect", refreshed, "--at", imported["occurred_at"].replace(" ", "T"), "--json"
    ).json
    assert (then["credential_version"], len(then["events"])) == (1, 1)
    assert ended["stored_version"] == 2


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("10m ago", "did not exist then"),
        ("-10m", "did not exist then"),
        ("2999-01-01T00:00:00Z", "in the future"),
        ("2026-01-01T00:00:00", "has no offset"),
        ("yesterday", "did not exist then"),
        ("999999999w ago", "longer ago than there are dates"),
    ],
)
def test_a_time_that_cannot_be_told_is_one_sentence(cli: Cli, at: str, says: str) -> None:
    """Bad, future and too early times each name what is wrong."""
    cli.connect("c1")
    ran = cli.process("inspect", "c1", f"--at={at}")
    ran.refused(says, code=ran.code)
    assert ran.code in {1, 2}


def test_a_pruned_time_is_told_as_pruned(cli: Cli) -> None:
    """Where only later events are kept, the sentence names the setting and the oldest event."""
    cli.connect("c1")
    run_sql(cli, "update connection set created_at = now() - interval '200 days'")
    ran = cli.process("inspect", "c1", "--at", "150d ago")
    ran.refused("pruned", "REFRESHER_EVENT_RETENTION_DAYS", code=1)


@pytest.mark.parametrize("command", NOBODY)
def test_an_unknown_id_gets_a_hint(cli: Cli, command: str) -> None:
    """A name that is nearly right is answered with the right one."""
    cli.connect("account-1")
    cli.process(command, "acount-1").refused('did you mean "account-1"', code=2)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (["connections", "pause", "c1"], "parked as paused"),
        (["connections", "disable", "c1"], "parked as disabled"),
    ],
)
def test_explain_tells_why_it_is_not_scheduled(cli: Cli, act: list[str], says: str) -> None:
    """The reason for parking comes with what ends it."""
    cli.connect("c1")
    cli(*act)
    told = cli("explain", "c1").stdout
    assert says in told
    assert "refresher connections resume" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select 1", "No scheduler is running"),
        ("update connection set expires_at = now() - interval '1 minute'", "expired at"),
        ("update refresh_schedule set due_at = now() - interval '1 hour'", "It has been due since"),
        (
            (
                "insert into pause (scope, key, sort, provider, app_name, until, refusals, reason) "
                "values ('app', 'acme/default', 'refused', 'acme', 'default', "
                "now() + interval '1 hour', 1, 'invalid_client')"
            ),
            "refresher apps set acme --client-id YOUR_CLIENT_ID",
        ),
        ("delete from app", "When it is due it will be parked as app_not_configured"),
        ("delete from app", "`refresher apps set acme --client-id YOUR_CLIENT_ID`"),
        ("update connection set access_token = null", "It has no access token."),
        ("update connection set status = 'reconnect_required'", "so it is not served"),
        (
            (
                "update refresh_schedule set state = 1, lease_until = now() + interval '1 minute', "
                "claimed_at = now()"
            ),
            "It is claimed since",
        ),
    ],
)
def test_explain_tells_what_stands_in_the_way(cli: Cli, sql: str, says: str) -> None:
    """Processes that are missing, pauses, guards and leases each have their sentence."""
    cli.connect("c1")
    run_sql(cli, sql)
    assert says in cli("explain", "c1").stdout
    assert any(says in sentence for sentence in cli("explain", "c1", "--json").json["sentences"])


def test_no_sentence_fills_a_connection_s_id_in_as_a_client_id(cli: Cli) -> None:
    """A command that is told can be copied: provider and app are filled in, the client id is not."""
    run_sql(cli, "delete from app")
    cli.connect("c1", app="eu")
    run_sql(
        cli,
        "update refresh_schedule set state = 2, parked_reason = 'app_not_configured'",
    )
    command = "`refresher apps set acme --name eu --client-id YOUR_CLIENT_ID`"
    for told in (
        cli("explain", "c1").stdout,
        cli("connections", "show", "c1").stderr,
        cli("connections", "refresh", "c1").stderr,
        cli("doctor").stdout,
    ):
        assert command in told
        assert "PROVIDER" not in told


def test_explain_tells_a_flow_that_is_switched_off(cli: Cli) -> None:
    """The switch of the flow is named."""
    cli.connect("c1")
    cli.env["REFRESHER_INTEGRATION_REFRESH__ENABLED"] = "false"
    assert "REFRESHER_INTEGRATION_REFRESH__ENABLED" in cli("explain", "c1").stdout


def compared(cli: Cli, name: str, *more: object) -> dict[str, Any]:
    """Returns what a replay compares, by the value's name."""
    told = cli("replay", name, *more, "--json").json
    return {row["name"]: row for row in told["compared"]}


def test_replay_finds_that_nothing_differs(cli: Cli, refreshed: str) -> None:
    """The rules that decided decide the same again."""
    rows = compared(cli, refreshed)
    assert rows["outcome"] == {
        "name": "outcome", "recorded": "refreshed", "today": "refreshed", "differs": False,
    }  # fmt: skip
    assert not any(row["differs"] for row in rows.values())
    assert "Nothing would differ" in cli("replay", refreshed, "--attempt", 1).stdout


def test_replay_shows_what_a_changed_setting_does(cli: Cli, refreshed: str) -> None:
    """With a longer lead the same reply is due sooner, and the outcome is the same."""
    cli.env["REFRESHER_LEAD_SHARE"] = "0.5"
    rows = compared(cli, refreshed)
    assert rows["next due in, seconds"]["differs"]
    assert rows["next due in, seconds"]["today"] < rows["next due in, seconds"]["recorded"]
    assert not rows["outcome"]["differs"]


def test_replay_of_no_attempt_names_those_that_there_are(cli: Cli, refreshed: str) -> None:
    """A number that is wrong is answered with the newest ones."""
    cli.process("replay", refreshed, "--attempt", 99).refused("no attempt 99", "are 1", code=1)
    cli.connect("c2")
    cli.process("replay", "c2").refused("no recorded attempt", code=1)
