"""The scheduler of the chaos suite: triggers, and every message twice and shuffled where asked."""

import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from refresher import scheduler
from refresher.rules.connection import Claim
from refresher.runtime import broker
from refresher.testing.triggers import Triggers

Groups = Sequence[Sequence[Claim]]
Send = Callable[[Any, Groups], None]


def twice_and_shuffled(send: Send) -> Send:
    """Returns a `send` that delivers each message twice: both now, or the second one later.

    How much later, and in which order, is drawn by lot: a copy may come beside its original, after the
    outcome, or when the row is leased again.
    """
    late: list[Sequence[Claim]] = []
    dice = random.Random(1)

    def send_twice(actor: Any, groups: Groups) -> None:
        waiting, now = [*late, *groups], list(groups)
        late.clear()
        for group in waiting:
            (now if dice.random() < 0.3 else late).append(group)
        dice.shuffle(now)
        send(actor, now)

    return send_twice


if __name__ == "__main__":
    Triggers(Path(os.environ["CHAOS_TRIGGERS"])).listen()
    if os.environ.get("CHAOS_TWICE"):
        vars(broker)["send"] = twice_and_shuffled(broker.send)
    sys.exit(scheduler.main())
