"""What an import tells at its end: what it came to, or would come to, and what is still to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from refresher.cli.import_rejects import MOST_SHOWN, Rejects
from refresher.cli.import_run import Counts, ImportLine
from refresher.cli.output import done, note, table
from refresher.connections.rehearsal import Outlook
from refresher.rules.connection import ParkReason
from refresher.rules.reasons import apps_set, mend
from refresher.rules.words import span
from refresher.runtime.services import Services
from refresher.store import gauges, inspection

WORTH_TELLING = ("app_not_configured", "unknown_provider", "nothing_to_refresh_with", "no_expiry")
MOST_REASONS = 1_000
MOST_LINES = 5


@dataclass(slots=True)
class Reason:
    """How many lines were rejected for one reason, and which are the first of them."""

    reason: str
    count: int = 0
    lines: list[int] = field(default_factory=list)


class Refused:
    """Rejected lines grouped by reason; of endless different reasons only the first are kept."""

    def __init__(self) -> None:
        self._reasons: dict[str, Reason] = {}
        self.others = 0

    def add(self, line: ImportLine, reason: str) -> None:
        """Counts one line."""
        if reason not in self._reasons and len(self._reasons) >= MOST_REASONS:
            self.others += 1
            return
        one = self._reasons.setdefault(reason, Reason(reason))
        one.count += 1
        if len(one.lines) < MOST_LINES:
            one.lines.append(line.number)

    def reasons(self) -> list[Reason]:
        """Returns the reasons, the commonest first."""
        return sorted(self._reasons.values(), key=lambda one: -one.count)


def summarize(
    services: Services,
    counts: Counts,
    kept: Rejects,
    seconds: float,
    more: Mapping[str, object] | None = None,
    *,
    json: bool,
) -> None:
    """Tells what an import came to, and what keeps connections from being refreshed."""
    updated = f"{counts.updated:,} updated, " if counts.updated else ""
    updated += f"{counts.unchanged:,} unchanged, " if counts.unchanged else ""
    sentence = (
        f"{counts.read:,} read in {span(seconds)}: {counts.created:,} created, "
        f"{counts.reconnected:,} reconnected, {updated}{counts.rejected:,} rejected."
    )
    done({**_told(counts, seconds), **(more or {})}, sentence, json=json)
    if kept.count > MOST_SHOWN:
        note(f"… and {kept.count - MOST_SHOWN:,} more lines were rejected.")
    if kept.count:
        note(f"Rejected lines and their reasons are in {kept.path} (it holds tokens; mode 0600).")
    _tell_parked(services)


def _told(counts: Counts, seconds: float) -> dict[str, object]:
    return {
        "read": counts.read,
        "created": counts.created,
        "reconnected": counts.reconnected,
        "updated": counts.updated,
        "rejected": counts.rejected,
        **({"unchanged": counts.unchanged} if counts.unchanged else {}),
        "seconds": round(seconds, 3),
    }


def _tell_parked(services: Services) -> None:
    with services.database.transaction() as db:
        parked = gauges.schedule(db).parked
        missing = inspection.parked_for(db, ParkReason.APP_NOT_CONFIGURED)
    for reason in WORTH_TELLING:
        if parked.get(reason) and (reason != ParkReason.APP_NOT_CONFIGURED or not missing):
            note(f"Parked now, {reason}: {parked[reason]:,}; {mend(reason)}.")
    for provider, app, count in missing:
        note(
            f"Parked now, because the app {provider}/{app} is not stored: {count:,}; "
            f"{apps_set(provider, app)}, and they resume by themselves."
        )


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a dry run saw; `unit` is what an entry of the source is called."""

    counts: Counts
    refused: Refused
    outlook: Outlook
    seconds: float
    unit: str


def rehearsed(told: Rehearsed, *, json: bool) -> None:
    """Tells what an import would come to."""
    counts, refused, outlook = told.counts, told.refused, told.outlook
    sentence = (
        f"{counts.read:,} read in {span(told.seconds)}: {counts.created:,} would be created, "
        f"{counts.reconnected:,} reconnected, {counts.updated:,} updated, "
        f"{counts.rejected:,} rejected. Nothing was stored."
    )
    done(_told(counts, told.seconds) | _outlook(refused, outlook), sentence, json=json)
    if json:
        return
    if outlook.apps:
        rows = [[p, app, f"{n:,}", _how(outlook, p, app)] for (p, app), n in _sorted(outlook)]
        table(["provider", "app", "connections", "app stored"], rows)
    for reason in refused.reasons():
        more = ", …" if reason.count > len(reason.lines) else ""
        at = f"{told.unit} {', '.join(map(str, reason.lines))}{more}"
        note(f"{reason.count:,} would be rejected ({at}): {reason.reason}")
    if refused.others:
        note(f"… and {refused.others:,} more, for other reasons.")
    _tell_outlook(outlook)


def _outlook(refused: Refused, outlook: Outlook) -> dict[str, object]:
    apps = [
        {
            "provider": p,
            "app": app,
            "connections": n,
            "stored": not outlook.missing_apps[p, app],
        }
        for (p, app), n in _sorted(outlook)
    ]
    return {
        "dry_run": True,
        "apps": apps,
        "rejects": [asdict(reason) for reason in refused.reasons()],
        "parked": {str(why): n for why, n in sorted(outlook.parked.items())},
        "expired": outlook.expired,
        "without_refresh_token": outlook.without_refresh_token,
    }


def _sorted(outlook: Outlook) -> list[tuple[tuple[str, str], int]]:
    return sorted(outlook.apps.items())


def _how(outlook: Outlook, provider: str, app: str) -> str:
    if outlook.missing_apps[provider, app]:
        return f"no: {apps_set(provider, app)}"
    return "yes"


def _tell_outlook(outlook: Outlook) -> None:
    for reason, count in sorted(outlook.parked.items()):
        if reason != ParkReason.APP_NOT_CONFIGURED:  # the table has said it
            note(f"{count:,} would be parked, {reason}; {mend(reason)}.")
    if outlook.without_refresh_token:
        note(f"{outlook.without_refresh_token:,} have an access token and no refresh token.")
    if outlook.expired:
        note(f"{outlook.expired:,} have an access token that has ended already.")
