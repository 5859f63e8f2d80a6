"""`refresher recipients` and `organizations`: who is told, and what messages say of an organization."""

from pathlib import Path

import pytest

from tests.cli.kit import Cli

LINK = "https://app.example/connections/{external_id}/reconnect"


def test_recipients_are_added_listed_and_removed(cli: Cli):
    """A second `add` changes the choices and keeps the others; the domain's case does not matter."""
    added = cli("recipients", "add", "ann@Acme.Example", "--organization", "org-1", "--json").json
    assert (added["address"], added["new"]) == ("ann@acme.example", True)
    none = ["--none", "all", "--immediate", "connection.reconnect_required"]
    changed = cli(
        "recipients", "add", "ann@acme.example", "--organization", "org-1", *none, "--json"
    )
    assert changed.json["new"] is False
    assert changed.json["choices"]["connection.reconnect_required"] == "immediate"
    assert changed.json["choices"]["app.recovered"] == "none"
    assert cli("recipients", "add", "ops@us.example", "--operators").code == 0
    assert len(cli("recipients", "list", "--json").lines) == 2
    assert [r["address"] for r in cli("recipients", "list", "--operators", "--json").lines] == [
        "ops@us.example"
    ]
    assert "ann@acme.example" in cli("recipients", "list", "--organization", "org-1").stdout
    assert cli("recipients", "remove", "ops@us.example", "--operators", "--json").json["removed"]
    assert cli("recipients", "list", "--operators", "--json").lines == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["nobody", "--operators"], ["'nobody'", "is no mail address"]),
        (["a@b.example\nBcc: x@y.example", "--operators"], ["control character"]),
        (["a@b@c.example", "--operators"], ["is no mail address"]),
        (["ann@acme.example"], ["--organization ID or --operators"]),
        (["ann@acme.example", "--operators", "--organization", "o"], ["either"]),
        (["ann@acme.example", "--organization", " "], ["--organization is empty"]),
        (["ann@acme.example", "--operators", "--none", "app.recoverd"], ['mean "app.recovered"']),
        (
            ["ann@acme.example", "--operators", "--none", "app.recovered", "--digest", "app.recovered"],
            ["choose one"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_recipient_is_refused_in_a_sentence(
    cli: Cli, arguments: list[str], parts: list[str]
):
    """A malformed address, a header in it, or an unknown kind stores nothing."""
    cli("recipients", "add", *arguments).refused(*parts)
    assert cli("recipients", "list", "--json").lines == []


def test_whoever_is_not_told_cannot_be_removed(cli: Cli):
    """A typo in an address does not pass in silence."""
    cli("recipients", "remove", "ann@acme.example", "--operators").refused("is not told of")


def test_an_organization_gets_name_and_page(cli: Cli):
    """Each is set alone, and an empty one is forgotten."""
    set_ = ["organizations", "set", "org-1"]
    assert cli(*set_, "--name", "Acme", "--json").json["name"] == "Acme"
    both = {"id": "org-1", "name": "Acme", "reconnect_url": LINK, "return_urls": []}
    assert cli(*set_, "--reconnect-url", LINK, "--json").json == both
    assert cli("organizations", "list", "--json").lines == [both]
    assert cli(*set_, "--reconnect-url", "", "--json").json["reconnect_url"] is None
    assert "Acme" in cli("organizations", "list").stdout


def test_an_organization_gets_return_urls(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """On the operator's origins, all of them at once; an empty one forgets them."""
    monkeypatch.setenv("REFRESHER_CONNECT_RETURN_URLS", "https://app.example/")
    set_ = ["organizations", "set", "org-1"]
    pages = ["https://app.example/a", "https://app.example/b"]
    given = [part for page in pages for part in ("--return-url", page)]
    assert cli(*set_, *given, "--json").json["return_urls"] == pages
    assert cli(*set_, "--name", "Acme", "--json").json["return_urls"] == pages
    assert "return URLs https://app.example/a" in cli(*set_, "--name", "A").stdout
    assert cli(*set_, "--return-url", "", "--json").json["return_urls"] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "nothing to set"),
        (["--reconnect-url", "http://app.example/{external_id}"], "must begin with https://"),
        (["--reconnect-url", "https://app.example/{account}"], "has {account}, and knows"),
        (["--name", "a\nb"], "control character"),
        (["--return-url", "https://app.example/x"], "origin of REFRESHER_CONNECT_RETURN_URLS"),
    ],
)
def test_a_wrong_page_is_refused_in_a_sentence(cli: Cli, arguments: list[str], part: str):
    """A page that people should not be sent to is never stored."""
    cli("organizations", "set", "org-1", *arguments).refused(part)
    assert cli("organizations", "list", "--json").lines == []


def test_doctor_tells_of_mail(cli: Cli, tmp_path: Path):
    """Mails that are only printed, templates that do not render and links that lack are told."""
    assert "nobody is told by mail" in cli("doctor", "--json").stdout
    cli("recipients", "add", "ann@acme.example", "--organization", "org-1")
    (tmp_path / "plain.html").write_text("{{ oops")
    (tmp_path / "wait.html").write_text("{{ oops }}")
    cli.env["REFRESHER_MAIL_TEMPLATES"] = cli.env["REFRESHER_CONNECT_TEMPLATES"] = str(tmp_path)
    told = cli("doctor", "--json").stdout
    for part in ("are only printed", "plain.html does not render", "no link to reconnect"):
        assert part in told
    assert "wait.html does not render: 'oops' is undefined" in told
    cli.env["REFRESHER_RECONNECT_URL"] = LINK
    assert "no link to reconnect" not in cli("doctor", "--json").stdout
