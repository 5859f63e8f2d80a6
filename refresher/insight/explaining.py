"""Why a connection is or is not going to be refreshed, in sentences: `refresher explain`, and its page.

Commands in them stand between backticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from uuid import UUID

from refresher.catalogue import Catalogue
from refresher.insight import looking
from refresher.rules import guards, reasons
from refresher.rules.connection import ParkReason, Status
from refresher.rules.explanation import DueReason, held_in_words
from refresher.rules.faults import FaultScope, place_of, scopes
from refresher.rules.history import Moment, PastEvent
from refresher.rules.providers import Provider
from refresher.rules.reasons import Instants
from refresher.rules.words import capital, span
from refresher.runtime.parts import policy_from
from refresher.settings import Settings
from refresher.store import pause_list, workers
from refresher.store.pause_list import PauseView
from refresher.store.session import Db
from refresher.store.standing import ConnectionStanding
from refresher.store.workers import ProcessSeen

Opened = Callable[[], AbstractContextManager[Db]]
LATE_SECONDS = 5.0
BY_TRYING = frozenset(
    {
        ParkReason.UNDECRYPTABLE,
        ParkReason.UNBUILDABLE_REQUEST,
        ParkReason.UNREAD_ANSWER,
        ParkReason.LOST_ANSWER,
        ParkReason.CRASH_LOOP,
        ParkReason.UNSTORED,
    }
)
"""What was found out by trying: that no guard says no does not tell that it is over."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the sentences are made of; `events` are the newest, the newest last."""

    settings: Settings
    standing: ConnectionStanding
    events: Sequence[PastEvent]
    provider: Provider | None
    running: Sequence[ProcessSeen]
    paused: Sequence[PauseView]

    @property
    def last(self) -> PastEvent | None:
        """The newest event."""
        return self.events[-1] if self.events else None

    @property
    def why(self) -> DueReason | None:
        """Why its row is due when it is."""
        policy = policy_from(self.settings)
        return looking.why(self.standing, self.standing.moment, self.last, self.provider, policy)


def gather(
    opened: Opened,
    settings: Settings,
    known: Catalogue,
    root: UUID,
    *,
    limit: int = looking.EVENTS_SHOWN,
) -> Findings:
    """Returns what is to be known of a root connection that is there, in a few looks by key.

    `opened` opens a transaction to look in; `limit` is how many events are looked at.
    """
    with opened() as db:
        standing, events = looking.now(db, root, limit=limit)
    # What issuers tell of themselves is read by the catalogue, in a transaction of its own.
    provider = known.get(standing.connection.provider)
    with opened() as db:
        running = workers.processes(db)
        paused = pause_list.against(db, _scopes(provider, standing))
    return Findings(settings, standing, events, provider, running, paused)


def sentences(found: Findings, instant: Instants) -> list[str]:
    """Returns what there is to say, the token's life first."""
    standing = found.standing
    return [
        *_slots(standing),
        *_token(standing, instant),
        *_row(found, instant),
        *_guard(found),
        *_pauses(found.paused, instant),
        *_refused(found),
        *_flow(found.settings, standing, found.running),
    ]


def _slots(standing: ConnectionStanding) -> Iterator[str]:
    """Names the connection that this is a slot of, or the slots that it has."""
    if standing.slot_of is not None:
        yield f'It is the slot "{standing.slot}" of {standing.slot_of}.'
    for name, slot in standing.slots.items():
        parked, cause = slot["parked_reason"], slot["status_cause"]
        why = f", parked as {parked}{f' ({cause})' if cause else ''}" if parked else ""
        yield f'Its slot "{name}" is {slot["id"]}{why}, and is refreshed apart.'


def _token(standing: ConnectionStanding, instant: Instants) -> Iterator[str]:
    connection = standing.connection
    ends = connection.expires_at
    if connection.access_token is None:
        yield "It has no access token."
    elif ends is None:
        yield "Nobody tells when its access token ends."
    elif ends <= standing.now:
        yield f"Its access token expired at {instant(ends)}."
    elif connection.status == Status.RECONNECT_REQUIRED:
        yield (
            f"Its access token was to be good until {instant(ends)}, but the provider ended the "
            "grant, so it is not served."
        )
    else:
        yield f"Its access token is good until {instant(ends)}."


def _row(found: Findings, instant: Instants) -> Iterator[str]:
    standing, moment, last = found.standing, found.standing.moment, found.last
    if moment.state == "none":
        yield "It has no schedule row: import it again."
    elif moment.state == "parked" and moment.parked_reason == ParkReason.UNREAD_ANSWER:
        yield f"It is not scheduled: it is parked as {moment.parked_reason}."
        yield from reasons.of_unread(standing.connection.id, standing.unread, instant)
        return
    elif moment.state == "parked":
        mend = reasons.mend_of(moment.parked_reason, standing.connection)
        cause = f" ({moment.status_cause})" if moment.status_cause else ""
        yield f"It is not scheduled: it is parked as {moment.parked_reason}{cause}. {_capital(mend)}."
        if standing.unread is not None:
            yield reasons.hope_of_unread(standing.unread, instant)
    elif moment.state == "leased":
        yield _leased(moment, standing, instant)
    else:
        because = f", because {why.sentence}" if (why := found.why) else ""
        assert moment.due_at is not None
        overdue = (standing.now - moment.due_at).total_seconds()
        verb = "It has been due since" if overdue > 0 else "It is refreshed next at"
        yield f"{verb} {instant(moment.due_at)}{because}."
    if moment.attempt and last and last.reason:
        failed = "attempt" if moment.attempt == 1 else f"{moment.attempt} attempts"
        yield f"The last {failed} failed, the newest with: {last.reason}."


def _leased(moment: Moment, standing: ConnectionStanding, instant: Instants) -> str:
    since = f" since {instant(moment.claimed_at)}" if moment.claimed_at else ""
    if moment.begun_at is None:
        return f"It is claimed{since}, and its refresh has not begun: a worker is to take it."
    took = span((standing.now - moment.begun_at).total_seconds())
    return f"It is being refreshed{since}: the request left {took} ago."


def _guard(found: Findings) -> Iterator[str]:
    standing, moment, connection = found.standing, found.standing.moment, found.standing.connection
    verdict = guards.check(
        connection,
        found.provider,
        stop_when_expired=policy_from(found.settings).expired_tokens == "stop",
        expired=connection.expires_at is not None and connection.expires_at <= standing.now,
    )
    match verdict:
        case guards.Proceed():
            if moment.state == "parked" and moment.parked_reason not in BY_TRYING:
                yield "What it was parked for does not hold any more: resuming it would be enough."
        case guards.Skip(reason):
            if moment.state != "parked":
                mend = reasons.mend_of(reason, connection)
                yield f"When it is due it will be parked as {reason}. {_capital(mend)}."


def _scopes(provider: Provider | None, standing: ConnectionStanding) -> list[FaultScope]:
    """Returns the scopes whose pauses would hold the connection."""
    if provider is None:
        return []
    place = place_of(provider, standing.connection)
    return [*scopes(place, "provider"), *scopes(place, "app")]


def _pauses(paused: Sequence[PauseView], instant: Instants) -> Iterator[str]:
    for pause in paused:
        what = "Its app" if pause.scope == "app" else "Its provider"
        again = "until one row has tried" if pause.probing else f"until {instant(pause.until)}"
        yield f"{what} {held_in_words(pause.key)} is left alone {again}: {pause.reason}."
        if pause.scope == "app":
            command = reasons.apps_set(pause.provider, pause.app or "default")
            yield f"Put its id and secret right: {command}."


def _refused(found: Findings) -> Iterator[str]:
    """Names the likely cause where a single connection is refused: a wrong secret, or its token."""
    last, connection = found.last, found.standing.connection
    if last is None or last.kind != "misconfigured" or any(p.scope == "app" for p in found.paused):
        return
    command = reasons.apps_set(connection.provider, connection.app_name)
    yield (
        f"Either its app's id or secret is wrong: {command}; or others of that app are well, and its "
        "refresh token was given to another client: then the account must be connected again."
    )


def _flow(
    settings: Settings, standing: ConnectionStanding, running: Sequence[ProcessSeen]
) -> Iterator[str]:
    flow = settings.integration_refresh
    if not flow.enabled:
        yield "Nothing is refreshed: REFRESHER_INTEGRATION_REFRESH__ENABLED is false."
        return
    roles = {process.role for process in running if process.locked or not settings.liveness_lock}
    needed = {"scheduler": "`python -m refresher.scheduler`"}
    if flow.transport != "in_process":
        needed["worker"] = "`dramatiq refresher.actors`"
    for role in sorted(needed.keys() - roles):
        yield f"No {role} is running: start {needed[role]}."
    due = standing.moment.due_at
    late = (
        standing.moment.state == "idle"
        and due
        and (standing.now - due).total_seconds() > LATE_SECONDS
    )
    if late and not needed.keys() - roles:
        yield "It has not been claimed: others are due before it, or all places are taken."


def _capital(sentence: str | None) -> str:
    return capital(sentence or "`refresher connections resume` makes it due again")
