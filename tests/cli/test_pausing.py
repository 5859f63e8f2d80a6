"""`refresher providers pauses | unpause`, and what doctor says of pauses."""

import json

from refresher.runtime.services import Services
from tests.cli.kit import Cli
from tests.refresh.pausing import hold


def finding(cli: Cli, check: str, level: str) -> dict[str, str]:
    """Returns what doctor says first about a check, at this level."""
    found = cli("doctor", "--json").json["findings"]
    return next(f for f in found if (f["check"], f["level"]) == (check, level))


def test_pauses_are_listed_with_why_and_by_whose_refusals(cli: Cli, services: Services):
    """What is held, for whom, why, until when and who was told so; mere evidence is no pause."""
    assert "Nothing is paused" in cli("providers", "pauses").stderr
    with services.database.transaction() as db:
        hold(db, "provider", "google@host.example#org-1", sort="limited", reason="rate limited")
        hold(db, "app", "acme/eu", sort="refused", reason="invalid_client", refusals=2)
        hold(db, "provider", "acme", sort="silent", refusals=0)
    shown = cli("providers", "pauses").stdout
    for part in (
        "google at host.example",
        "org-1",
        "rate limited",
        "app acme/eu",
        "everybody",
        "g1",
    ):
        assert part in shown
    lines = [json.loads(line) for line in cli("providers", "pauses", "--json").stdout.splitlines()]
    assert [(line["key"], line["sort"], line["told"]) for line in lines] == [
        ("acme/eu", "refused", ["g1"]), ("google@host.example#org-1", "limited", ["g1"]),
    ]  # fmt: skip


def test_a_pause_is_ended_by_hand(cli: Cli, services: Services):
    """All of a provider's, or those of one host or app; an unknown provider is one sentence."""
    with services.database.transaction() as db:
        hold(db, "provider", "google@a.example", sort="limited")
        hold(db, "provider", "google@b.example", sort="silent")
        hold(db, "app", "google/default", sort="refused")
    ended = cli("providers", "unpause", "google", "--host", "A.example")
    assert "google at a.example is not paused any more" in ended.stdout
    told = json.loads(cli("providers", "unpause", "google", "--app", "default", "--json").stdout)
    assert told == {"ended": ["app:google/default"]}
    assert "google at b.example" in cli("providers", "unpause", "google").stdout
    assert "Nothing of that is paused" in cli("providers", "unpause", "google").stderr
    wrong = cli("providers", "unpause", "gogle")
    assert wrong.code != 0
    assert "google" in wrong.stderr


def test_apps_that_a_provider_refuses(cli: Cli, services: Services):
    """A paused app is wrong; a paused provider, and an app refused once, are worth a look."""
    with services.database.transaction() as db:
        hold(db, "app", "acme/eu", sort="refused", reason="invalid_client")
        hold(db, "app", "acme/us", sort="refused", reason="invalid_client", refusals=0)
        hold(db, "provider", "google@host.example#org", sort="limited", reason="rate limited")
    app = finding(cli, "apps", "fail")
    assert "invalid_client" in app["message"]
    assert "refresher apps set acme --name eu" in app["mend"]
    suspected = finding(cli, "apps", "warn")
    assert "acme/us to g1 (invalid_client), and to no other yet" in suspected["message"]
    assert "--name us" in suspected["mend"]
    paused = finding(cli, "providers", "warn")
    assert "google at host.example, for org, (rate limited)" in paused["message"]
    assert "refresher providers unpause google" in paused["mend"]
