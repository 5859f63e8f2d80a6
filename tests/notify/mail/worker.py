"""A process that sends what is due at the instant `NOW`, and ends; triggers may kill it before."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from refresher.notify import delivery
from refresher.notify.mail_channel import MAIL
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store.leases import Lease
from refresher.testing.triggers import Triggers


def main() -> int:
    """Plans, hands over and delivers until nothing is due."""
    Triggers(Path(os.environ["TRIGGERS"])).listen()
    services = build(load())
    services.database.simulated_now = datetime.fromisoformat(os.environ["NOW"])
    delivery.plan(services, MAIL)
    delivery.sweep(services, MAIL)
    while True:
        batches: list[Sequence[Lease]] = []
        delivery.dispatch(services, MAIL, batches.extend)
        if not batches:
            services.close()
            return 0
        for batch in batches:
            delivery.deliver(services, MAIL, batch)


if __name__ == "__main__":
    sys.exit(main())
