"""docs/runbook.md: its walk from an expired token to the cause, on faults that are injected."""

import json
import re
from pathlib import Path

import pytest

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql
from tests.waiting import wait_until

PAGE = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")
WALK = ["explain", "inspect", "events"]


@pytest.fixture
def name(cli: Cli, provider: FakeProvider) -> str:
    """The external id of a connection whose token has half a second to live."""
    grant = provider.admin.create_grants(1, prefix="real-")[0]
    cli.connect(
        grant.external_id,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in=0.5,
    )
    return grant.external_id


def walk(cli: Cli, name: str) -> dict[str, str]:
    """Takes the page's looks in their order, when the token has expired; returns what each shows."""
    wait_until(lambda: "expired at" in cli("explain", name).stdout)
    shown = {"doctor": cli("doctor").stdout}
    shown["top"] = cli("top", "--once", "--json").stdout
    shown |= {look: cli(look, name).stdout for look in WALK}
    expired_at = cli.show(name)["expires_at"].replace(" ", "T")
    return shown | {"at": cli("inspect", name, f"--at={expired_at}", "--json").stdout}


def test_the_walk_has_the_page_s_order() -> None:
    """The page names each command of the walk, and in this order."""
    headings = re.findall(r"^## \d\. .*`refresher (\w+)", PAGE, re.MULTILINE)
    assert headings == ["doctor", "top", "explain", "inspect", "inspect", "replay"]
    assert "refresher events ID" in PAGE


def test_a_provider_that_fails_is_found(cli: Cli, provider: FakeProvider, name: str) -> None:
    """500s until the token expires: the last answer, the count, and no end of the connection."""
    provider.admin.add_fault("status_500", count=5)
    for _ in range(2):
        assert cli("connections", "refresh", name).code == 1
    shown = walk(cli, name)
    assert "The last 2 attempts failed, the newest with: status 500." in shown["explain"]
    assert "attempt 2 of 3" in shown["explain"]
    assert json.loads(shown["top"])["expired_tokens"] == 1
    then = json.loads(shown["at"])
    assert (then["external_id"], then["credential_version"]) == (name, 1)
    assert shown["inspect"].count("transient") == 2
    assert "500" in shown["events"]
    # The page: nothing is to be done, and a refresh goes ahead once the provider answers
    provider.admin.clear_faults()
    assert cli("connections", "refresh", name).code == 0
    assert "is good until" in cli("explain", name).stdout


def test_workers_that_are_stopped_are_found(cli: Cli, name: str) -> None:
    """Nobody claims it: doctor names the command, and no attempt stands in the history."""
    run_sql(cli, "update refresh_schedule set due_at = now() - interval '2 minutes'")
    shown = walk(cli, name)
    assert "no scheduler is running" in shown["doctor"]
    assert "python -m refresher.scheduler" in shown["doctor"]
    assert "It has been due since" in shown["explain"]
    assert "No scheduler is running" in shown["explain"]
    seen = json.loads(shown["top"])
    assert (seen["overdue"], seen["expired_tokens"], seen["processes"]) == (1, 1, [])
    assert [event["kind"] for event in json.loads(shown["at"])["events"]] == ["imported"]
    assert "transient" not in shown["inspect"]


def test_a_wrong_secret_is_found_and_mended(cli: Cli, provider: FakeProvider, name: str) -> None:
    """The provider refuses the app: the mend that is named ends it for every connection."""
    provider.admin.set_client_secret("another-secret")
    assert cli("connections", "refresh", name).code == 1
    shown = walk(cli, name)
    assert "refresher apps set acme --client-id YOUR_CLIENT_ID" in shown["doctor"]
    assert "its app's id or secret is wrong: `refresher apps set acme" in shown["explain"]
    assert "invalid_client" in shown["explain"]
    assert "misconfigured" in shown["inspect"]
    mended = cli(
        "apps",
        "set",
        "acme",
        "--client-id",
        "fake-client",
        "--secret-stdin",
        stdin="another-secret",
    )
    assert mended.code == 0, mended.stderr
    assert "left alone" not in cli("explain", name).stdout
    assert cli("connections", "refresh", name).code == 0
