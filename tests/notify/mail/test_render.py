"""Templates: ours, the user's, and what happens when one of the user's does not render."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from refresher.notify.mail_channel import samples
from refresher.notify.mail_text import notice, provider_name
from refresher.outbound.mail_templates import Renderer
from refresher.rules.notices import Kind
from refresher.store.outbox import OutboxEntry


@pytest.mark.parametrize("form", ["plain", "digest"])
def test_the_built_in_templates_render_every_kind(form: str) -> None:
    """Text and HTML both carry subject, link and the way to unsubscribe."""
    rendered = Renderer().render(form, samples()[form])
    assert "\n" not in rendered.subject
    for part in (rendered.text, rendered.html):
        assert "https://app.example/connections/1042/reconnect" in part
        assert "https://app.example/unsubscribe" in part
    assert "<html" in rendered.html
    assert 'lang="en"' in rendered.html


def test_a_slot_is_named_beside_its_account() -> None:
    """Whoever connects again sees which of the account's tokens has ended."""
    payload = {
        "connection_id": str(uuid4()),
        "provider": "slack",
        "external_id": "T1",
        "name": None,
    }
    kind = Kind.RECONNECT_REQUIRED.value
    entry = OutboxEntry(
        uuid4(), "org-1", uuid4(), None, 1, kind, {**payload, "slot": "user"}, datetime.now(UTC)
    )
    words = notice(entry, "https://app.example/connections/{external_id}/reconnect")
    assert words["subject"] == "Slack · T1 (user token)"
    assert words["link"] == "https://app.example/connections/T1/reconnect"


def test_a_stored_name_is_escaped() -> None:
    """What a provider or a user called an account is text in the HTML part, never markup."""
    values = samples()["plain"]
    values["notice"] = {**values["notice"], "title": "<script>alert(1)</script>"}  # type: ignore[dict-item]
    rendered = Renderer().render("plain", values)
    assert "<script>" not in rendered.html
    assert "&lt;script&gt;" in rendered.html
    assert rendered.subject == "<script>alert(1)</script>"


def test_a_template_of_the_user_takes_the_place_of_ours(tmp_path: Path) -> None:
    """One file is enough; the others stay ours, and it may build on our layout."""
    (tmp_path / "plain.html").write_text(
        '{% extends "layout.html" %}{% block content %}Hallo {{ notice.subject }}{% endblock %}'
    )
    rendered = Renderer(tmp_path).render("plain", samples()["plain"])
    assert "Hallo Google" in rendered.html
    assert "<html" in rendered.html
    assert rendered.text.startswith("Reconnect Google")
    assert rendered.replaced == ()


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ notice.title", "line 1"),
        ("{{ nothing_of_that_name }}", "undefined"),
        ("{{ 1 / 0 }}", "zero"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ('{% include "../../etc/passwd" %}', "passwd"),
        ("{% for n in range(999999999) %}x{% endfor %}", "Range too big"),
    ],
)
def test_a_template_that_does_not_render_is_told_and_replaced(
    tmp_path: Path, template: str, why: str
) -> None:
    """The mail leaves with our template, and `doctor` names the file and the fault."""
    (tmp_path / "plain.txt").write_text(template)
    renderer = Renderer(tmp_path)
    rendered = renderer.render("plain", samples()["plain"])
    assert rendered.text.startswith("Reconnect Google")
    assert rendered.replaced == ("plain.txt",)
    (fault,) = renderer.faults(samples())
    assert fault.template == "plain.txt"
    assert why in fault.why


@pytest.mark.parametrize(
    ("provider", "name"),
    [("google", "Google"), ("exact-online", "Exact Online"), ("youtube", "YouTube"), ("x", "X")],
)
def test_a_provider_is_called_as_people_write_it(provider: str, name: str) -> None:
    """A mail says YouTube, not Youtube."""
    assert provider_name(provider) == name


def test_a_provider_of_the_file_is_called_by_its_title() -> None:
    """Whoever gave a provider a title reads it in the mails, whatever the table is called."""
    assert provider_name("dot", {"dot": "Django OAuth Toolkit"}) == "Django OAuth Toolkit"
    assert provider_name("dot", {"dot": ""}) == "Dot"
