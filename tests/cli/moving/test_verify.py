"""`--verify`: one refresh each, by the ordinary way, and dead grants by number and id."""

import json

from refresher.devkit.oauth_server import FakeProvider
from tests.cli.kit import Cli, row


def test_each_is_refreshed_once_and_the_dead_are_named(cli: Cli, provider: FakeProvider):
    """Good grants rotate and are kept, a dead one is named with its line, others are counted."""
    grants = provider.admin.create_grants(4, prefix="moved-")
    provider.admin.revoke(grants[2].external_id)
    rows = [
        row(g.external_id, access_token=g.access_token, refresh_token=g.refresh_token)
        for g in grants
    ]
    rows += [row("lasting", refresh_token=None), row("bad", expires_in=-1)]
    file = cli.file("c.jsonl", rows)
    ran = cli("connections", "import", file, "--verify", "--verify-rate", "50", "--json")
    assert ran.code == 1
    dead = cli.show(grants[2].external_id)
    told = json.loads(ran.stdout.splitlines()[-1])  # in this process the log stands before it
    assert told["verified"] == {
        "alive": 3,
        "dead": [{"line": 3, "id": dead["id"], "reason": "invalid_grant: consent withdrawn"}],
        "unsure": {"nothing_to_refresh_with": 1},
        "left": 0,
    }
    assert (dead["status"], told["rejected"]) == ("reconnect_required", 1)
    assert provider.admin.summary().presented_twice == 0
    # Told to a person; what was refreshed meanwhile is another's to import again.
    again = cli.file("d.jsonl", [row("x", access_token="never", refresh_token="issued")])
    ran = cli("connections", "import", again, "--verify")
    assert "Verified: 0 refreshed, 1 dead." in ran.stderr
    assert "why it is dead" in ran.stdout


def test_all_is_well_where_none_is_dead(cli: Cli, provider: FakeProvider):
    """The exit code is 0 when every grant lives."""
    (grant,) = provider.admin.create_grants(1, prefix="one-")
    given = row("a", access_token=grant.access_token, refresh_token=grant.refresh_token)
    ran = cli("connections", "import", cli.file("c.jsonl", [given]), "--verify")
    assert ran.code == 0, ran.stderr
    assert "Verified: 1 refreshed, 0 dead." in ran.stderr
