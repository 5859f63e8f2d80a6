"""One deed for many connections: shown first, asked, done, told; and what is refused."""

import pytest

from refresher.connections import bulk
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Selection
from refresher.runtime.services import Services
from refresher.runtime.whoever import whoever
from tests.cli.kit import Cli

BULK = ("connections", "bulk")


def test_many_are_shown_then_done_by_this_process(cli: Cli):
    """The preview in words or JSON; with --yes the job is worked off here and told."""
    cli.connect("a1", "a2", "a3")
    cli.connect("b1", organization_id="other")
    seen = cli(*BULK, "pause", "--organization", "org", "--dry-run")
    assert (seen.code, "a1" in seen.stdout) == (0, True), seen.stderr
    assert "None of them is refreshed until it is resumed." in seen.stderr
    told = cli(*BULK, "pause", "--organization", "org", "--dry-run", "--json").json
    assert (told["number"], told["providers"], told["left_out"]) == (3, {"acme": 3}, {})
    done = cli(*BULK, "pause", "--organization", "org", "--yes")
    assert (done.code, "Bulk job 1: Done: 3 paused." in done.stdout) == (0, True), done.stderr
    assert cli.show("a1")["health"] == "paused"
    assert cli.show("b1")["health"] == "fresh"
    again = cli(*BULK, "resume", "--provider", "acme", "--yes", "--json")
    assert (again.json["done"], again.json["left_out"]) == (3, {"already": 1})
    listed = cli(*BULK, "list", "--json").lines
    assert [(one["id"], one["state"]) for one in listed] == [(2, "done"), (1, "done")]
    assert "Resume 3 connections" in cli(*BULK, "list").stdout


def test_what_is_refused_does_nothing(cli: Cli):
    """No filter, a mistyped provider, nobody to ask, an unknown job."""
    cli.connect("a1")
    cli(*BULK, "delete").refused("give a filter, or --all")
    cli(*BULK, "pause", "--provider", "acne").refused('did you mean "acme"?')
    cli(*BULK, "pause", "--provider", "a\nb").refused("control character")
    cli(*BULK, "delete", "--all").refused("give --yes")
    cli(*BULK, "pause", "--all").refused("give --yes")
    cli(*BULK, "show", 7).refused("no bulk job has the number 7")
    cli(*BULK, "stop", 7).refused("no bulk job has the number 7")
    none = cli(*BULK, "resume", "--all", "--yes")
    assert (none.code, "Nothing is resumed" in none.stderr) == (0, True)
    assert cli(*BULK, "list", "--json").lines == []
    assert cli.show("a1")["health"] == "fresh"


def test_a_job_is_stopped_by_its_number(cli: Cli, services: Services):
    """As it stands; what it did stays."""
    cli.connect("a1")
    by, database = whoever("cli"), services.database
    seen = bulk.preview(database, services.catalogue, by, Deed.PAUSE, Selection())
    job = bulk.begin(database, by, seen.plan)
    assert "Looking which connections" in cli(*BULK, "show", job.id).stdout
    assert "Stopped: by cli:" in cli(*BULK, "stop", job.id).stdout
    assert cli(*BULK, "show", job.id, "--json").json["state"] == "stopped"


@pytest.mark.parametrize("typed", ["2\n", "1\n"])
def test_to_delete_the_number_is_typed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    """Another number deletes nothing."""
    cli.connect("a1", "a2")
    monkeypatch.setattr("refresher.cli.session.is_terminal", lambda *_: True)
    ran = cli(*BULK, "delete", "--all", stdin=typed)
    if typed == "2\n":
        assert "Done: 2 deleted." in ran.stdout, ran.stderr
    else:
        assert (ran.code, "another number: nothing was deleted" in ran.stderr) == (2, True)
        assert cli.show("a1")["health"] == "fresh"
