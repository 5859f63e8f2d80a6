"""`connections import --dry-run`: what would come of a file, and that nothing did."""

from tests.cli.kit import Cli, row


def test_a_dry_run_tells_all_and_stores_nothing(cli: Cli):
    """--dry-run counts what would come, by app and by reason, and leaves neither rows nor a file."""
    cli.connect("known")
    bare = {"access_token": None, "refresh_token": None, "expires_in": None}
    rows = [
        *(row("known"), row("new"), row("old", expires_in=0), row("own", app="eu")),
        row("page", root_external_id="new", **bare),
        row("known2", provider="gogle"),
        row("known3", provider="gogle"),
        row("lasting", refresh_token=None),
        "{",
    ]
    file = cli.file("c.jsonl", rows)
    ran = cli("connections", "import", file, "--dry-run", "--json")
    told = ran.json
    counted = {name: told[name] for name in ("read", "created", "reconnected", "rejected")}
    assert (ran.code, counted) == (
        1,
        {"read": 9, "created": 5, "reconnected": 1, "rejected": 3},
    )
    assert told["apps"] == [
        {"provider": "acme", "app": "default", "connections": 5, "stored": True},
        {"provider": "acme", "app": "eu", "connections": 1, "stored": False},
    ]
    assert [(one["count"], one["lines"]) for one in told["rejects"]] == [(2, [6, 7]), (1, [9])]
    assert 'did you mean "google"?' in told["rejects"][0]["reason"]
    assert (told["expired"], told["without_refresh_token"]) == (1, 1)
    assert told["parked"] == {"app_not_configured": 1, "nothing_to_refresh_with": 1}
    # And nothing is there that was not there before
    assert len(cli("connections", "list", "--json").lines) == 1
    assert not (cli.folder / "c.jsonl.rejects.jsonl").exists()
    shown = cli("connections", "import", file, "--dry-run")
    assert "5 would be created" in shown.stdout
    assert "`refresher apps set acme --name eu --client-id" in shown.stdout
    assert "2 would be rejected (line 6, 7)" in shown.stderr
