"""A thousand organizations are told by mail at the set spacing, while refreshes go on as before.

    python -m bench.mails --organizations 1000 --spacing-seconds 0.05 --due-per-second 200

Two runs of `bench.refreshes` with the same rate, one without mails and one beside them: one connection
of each organization breaks at the same moment, and a real SMTP server takes what is sent. Prints how
late refreshes began in both, how many mails came, and the time between them. Needs aiosmtpd.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from aiosmtpd.controller import Controller
from sqlalchemy import text

from bench.api import free_port
from bench.refreshes.plan import Plan, check
from bench.refreshes.run import perform
from bench.refreshes.seed import NAME
from bench.refreshes.stage import Stage
from refresher.connections.registration import take
from refresher.rules.connection import Secret
from refresher.rules.notices import NewsState
from refresher.rules.registration import NewConnection
from refresher.store import notices, recipients

ALONE_SECONDS, HANDLING_SECONDS = 30.0, 0.06


class Inbox:
    """Takes every mail, and notes to whom and when."""

    def __init__(self) -> None:
        self.came: list[tuple[str, float]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Called by aiosmtpd for each mail."""
        self.came.append((envelope.rcpt_tos[0], time.monotonic()))
        return "250 taken"


def main() -> int:
    """Prints one JSON object; returns 1 when a mail is missing or came twice."""
    given = _options().parse_args()
    say: Callable[[str], None] = partial(print, file=sys.stderr)
    alone = perform(_plan(given, ALONE_SECONDS), say)
    inbox = Inbox()
    port = free_port()
    server = Controller(inbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        seconds = given.organizations * (given.spacing_seconds + HANDLING_SECONDS) + 5
        prepare = partial(_prepare, given=given, port=port)
        beside = perform(_plan(given, seconds), say, prepare)
    finally:
        server.stop()
    gaps = [b[1] - a[1] for a, b in zip(inbox.came, inbox.came[1:], strict=False)]
    told = {to for to, _ in inbox.came}
    result = {
        "organizations": given.organizations,
        "told": len(told),
        "mails": len(inbox.came),
        "spacing_seconds": given.spacing_seconds,
        "gap_seconds": {"least": round(min(gaps, default=0), 4), "mean": _mean(gaps)},
        "lateness_seconds": {"without": alone.lateness_seconds, "beside": beside.lateness_seconds},
    }
    print(json.dumps(result, indent=2, default=str))
    return int(len(told) != given.organizations or len(inbox.came) != len(told))


def _plan(given: argparse.Namespace, seconds: float) -> Plan:
    rate = given.due_per_second
    return check(
        Plan(connections=round(rate * seconds) + 5_000, due_per_second=rate, for_seconds=seconds)
    )


def _prepare(stage: Stage, *, given: argparse.Namespace, port: int) -> None:
    """Has one connection of each organization break, with somebody to be told."""
    stage.environment.update(
        REFRESHER_MAIL_TRANSPORT="smtp",
        REFRESHER_MAIL_FROM="refresher@bench.example.com",
        REFRESHER_MAIL_SMTP_URL=f"smtp://127.0.0.1:{port}?starttls=never",
        REFRESHER_MAIL_SPACING_SECONDS=str(given.spacing_seconds),
    )
    new = [_connection(n) for n in range(given.organizations)]
    taken = take(stage.services, new)
    if taken.rejected:
        raise SystemExit(f"a connection was refused: {next(iter(taken.rejected.values()))}")
    with stage.services.database.transaction() as db:
        for n in range(given.organizations):
            recipients.add(db, f"org-{n}", f"owner-{n}@customers.example.com", {})
        db.execute(text(_BREAK))
        broken = [
            notices.connection_is(c.id, NewsState.RECONNECT_REQUIRED, cause="invalid_grant")
            for c in new
        ]
        notices.record(db, broken)


_BREAK = """
    with broken as (
        update connection set status = 'reconnect_required', status_cause = 'invalid_grant',
            trouble = 'reconnect_required' where organization_id like 'org-%' returning id
    )
    update refresh_schedule s set state = 2, parked_reason = 'reconnect_required'
    from broken b where s.connection_id = b.id
"""


def _connection(number: int) -> NewConnection:
    return NewConnection(
        organization_id=f"org-{number}",
        provider=NAME,
        external_id=f"broken-{number}",
        access_token=Secret("a" * 120),
        refresh_token=Secret("r" * 64),
        expires_in_seconds=3600.0,
    )


def _mean(gaps: list[float]) -> float:
    return round(sum(gaps) / len(gaps), 4) if gaps else 0.0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--organizations", type=int, default=1_000)
    parser.add_argument("--spacing-seconds", type=float, default=0.05)
    parser.add_argument("--due-per-second", type=float, default=200.0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
