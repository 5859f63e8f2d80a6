"""Our OAuth clients at the command line: where each comes from, and how one is forgotten."""

from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql


def test_apps_tell_where_they_come_from_and_are_deleted(cli: Cli):
    """From the providers file or stored by hand; one that is deleted parks what uses it, no more."""
    cli.connect("c1")  # an import stores the file's apps
    cli("apps", "set", "google", "--client-id", "g", "--no-secret")
    origins = {app["provider"]: app["origin"] for app in cli("apps", "list", "--json").lines}
    assert origins == {"acme": "file", "google": "stored"}
    cli("apps", "delete", "gogle", "--yes").refused('did you mean "google/default"?')
    cli.process("apps", "delete", "acme").refused("no terminal to ask on", "--yes")
    run_sql(
        cli,
        "insert into pause (scope, key, sort, provider, app_name, until, reason) values "
        "('app', 'acme/default', 'refused', 'acme', 'default', now() + interval '1 hour', 'x')",
    )
    gone = cli("apps", "delete", "acme", "--yes", "--json")
    assert cli("providers", "pauses", "--json").stdout == ""
    assert gone.json == {"provider": "acme", "name": "default", "deleted": True, "connections": 1}
    assert "the scheduler stores it again" in gone.stderr
    assert [app["provider"] for app in cli("apps", "list", "--json").lines] == ["google"]
    assert "app_deleted" in cli("keys", "audit").stdout
    assert cli.show("c1")["state"] == "idle"
    cli("apps", "delete", "acme", "--yes").refused('no app is called "acme/default"')
