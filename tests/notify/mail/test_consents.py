"""What came of a consent, told by mail to who has chosen that."""

from refresher.rules.connect import Outcome, Problem, Trouble
from refresher.store import connect_steps, recipients
from tests.connect.sessions import make
from tests.notify.mail.kit import Inbox, post
from tests.world import World


def test_each_session_that_ended_is_told(mailing_world: World, inbox: Inbox) -> None:
    """Two of them are two things to tell, though neither is about a connection."""
    denied = Trouble(Problem.DENIED, "access_denied")
    with mailing_world.services.database.transaction() as db:
        recipients.add(db, "org", "ann@acme.example", {"connect.ended": "immediate"})
        for name in ("1", "2"):
            session = make(mailing_world, organization_id="org", external_id=name)
            connect_steps.end(db, session.id, Outcome.CANCELLED, denied)
    assert post(mailing_world) == ["sent", "sent"]
    assert sorted(inbox.subjects) == ["Acme was not connected: 1", "Acme was not connected: 2"]
