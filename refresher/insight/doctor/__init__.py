"""Looks at everything that must be right, and says how to mend what is not.

`refresher doctor` prints it and the dashboard shows it: `order.py` has everything, in its order.

`setup.py`: settings, keys, providers, and whether what runs has the same; `postgres.py`, `redis.py` and
`rabbitmq.py`: the servers; `installation.py`: what waits for Postgres, neighbours, a restored backup;
`work.py`: what the tables tell about the work itself; `notify.py`: mail and webhooks; `dashboard.py`: a
proxy's key.
Every check yields `Finding`s; what it finds it never raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, how it is, and how to mend it where it is not well.

    `page` is the path of the dashboard's page on which that is done or seen, where there is one.
    """

    check: str
    level: Literal["ok", "warn", "fail"]
    message: str
    mend: str | None = None
    page: str | None = None


def ok(check: str, message: str) -> Finding:
    """Returns a finding that needs nothing."""
    return Finding(check, "ok", message)


def warn(check: str, message: str, mend: str, page: str | None = None) -> Finding:
    """Returns a finding that is worth a look."""
    return Finding(check, "warn", message, mend, page)


def fail(check: str, message: str, mend: str, page: str | None = None) -> Finding:
    """Returns a finding that keeps tokens from being refreshed, or soon will."""
    return Finding(check, "fail", message, mend, page)
