"""From news to inbox, against a real Postgres and a real SMTP server."""

from tests.mail.kit import Inbox, add, break_connections, digest, heal, post
from tests.world import World


def test_a_broken_connection_is_mailed_once_with_a_link(mailing_world: World, inbox: Inbox) -> None:
    """Who looks after it hears at once how to mend it, in text and in HTML."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "1042", name="Ann's calendar")
    assert post(mailing_world) == ["sent"]
    assert post(mailing_world) == []
    (mail,) = inbox.mails
    assert mail["Subject"] == "Reconnect Acme: Ann's calendar"
    assert mail["To"] == "ann@acme.example"
    assert mail["From"] == "Acme connections <no-reply@acme.example>"
    assert mail["List-Unsubscribe"].startswith("<mailto:no-reply@acme.example?subject=unsubscribe")
    assert mail["Message-ID"].endswith("@acme.example>")
    text, html = (mail.get_body([kind]) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert "https://app.example/connections/1042/reconnect" in part
        assert "Ann" in part
        assert "invalid_grant" in part


def test_a_recovery_waits_for_the_digest(mailing_world: World, inbox: Inbox) -> None:
    """Good news are no reason to interrupt anybody: they come together, and each once."""
    add(mailing_world, "ann@acme.example")
    break_connections(mailing_world, "1042")
    post(mailing_world)
    heal(mailing_world)
    mailing_world.connect("1042")
    assert post(mailing_world) == []
    assert digest(mailing_world) == 1
    assert post(mailing_world) == ["sent"]
    assert digest(mailing_world) == 0
    assert "Working again (1)" in inbox.mails[1].as_string()
