"""A process that sends what is due at the instant `NOW`, and ends; triggers may kill it before."""

import os
import sys
from datetime import datetime
from pathlib import Path

from refresher.notify import mail_channel
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store.mails import Lease
from refresher.testing.triggers import Triggers


def main() -> int:
    """Plans, hands over and delivers until nothing is due."""
    Triggers(Path(os.environ["TRIGGERS"])).listen()
    services = build(load())
    services.database.simulated_now = datetime.fromisoformat(os.environ["NOW"])
    mail_channel.plan(services)
    while True:
        given: list[Lease] = []
        mail_channel.dispatch(services, given.append)
        if not given:
            services.close()
            return 0
        for lease in given:
            mail_channel.deliver(services, lease)


if __name__ == "__main__":
    sys.exit(main())
