"""kill -9 between sending a mail and marking it as sent."""

from pathlib import Path

from tests.notify.mail.kills import Count, kill_between_send_and_mark
from tests.notify.mail.kit import Inbox
from tests.processes import Spawner
from tests.world import World


def test_a_worker_killed_after_sending_loses_nothing(
    mailing_world: World, inbox: Inbox, spawn: Spawner, tmp_path: Path
) -> None:
    """What may have arrived is sent once more as the very same mail, so a mailbox can drop it."""
    count = kill_between_send_and_mark(mailing_world, inbox, spawn, tmp_path, times=3)
    assert count == Count(told=3, lost=0, twice=3, other_ids=0)
