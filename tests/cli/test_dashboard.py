"""`refresher dashboard`: a link that signs in once."""

import pytest

from refresher.cli import dashboard, session
from refresher.connections import dashboard_links
from refresher.runtime.parts import database_from
from refresher.settings import load
from refresher.store import audit
from tests.cli.kit import Cli


def test_a_link_is_printed_for_this_machine(cli: Cli):
    """Whatever the public address: the link leads to this machine, and works once."""
    cli.env["REFRESHER_PUBLIC_URL"] = "https://refresher.example"
    made = cli("dashboard", "--json").json
    base, _, secret = made["url"].rpartition("/")
    assert base == "http://127.0.0.1:8080/ui/sign-in/link"
    assert made["seconds"] == 600
    printed = cli("dashboard")
    assert printed.stdout.startswith(base)
    assert "works once" in printed.stderr
    database = database_from(load(database_url=cli.env["DATABASE_URL"]))
    key = dashboard_links.spend(database, secret)
    assert key is not None
    assert (key.name, "token" in key.scopes) == ("dashboard links", False)
    assert dashboard_links.spend(database, secret) is None
    with database.transaction() as db:
        told = audit.recent(db)
    assert [one.action for one in told] == ["dashboard_link_made"] * 2 + ["key_created"]
    assert secret not in str(told)
    database.close()


def test_off_is_told(cli: Cli):
    """There is nothing to sign in to."""
    cli.env["REFRESHER_DASHBOARD"] = "off"
    cli("dashboard").refused("REFRESHER_DASHBOARD is off", code=1)


def test_a_page_is_opened_for_a_person_with_a_display(monkeypatch: pytest.MonkeyPatch):
    """On a terminal, and where there is something to show it."""
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for terminal, display, expected in ((True, "", 0), (False, ":0", 0), (True, ":0", 1)):
        monkeypatch.setenv("DISPLAY", display)
        monkeypatch.setattr(session, "is_terminal", lambda _, is_one=terminal: is_one)
        dashboard.open_page("http://127.0.0.1/ui")
        assert len(opened) == expected
