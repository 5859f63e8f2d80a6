"""What people and keys order for many connections at once: looked at, begun, followed, stopped.

A preview says what would be done, to whom, and who is left out; its signed plan is the order. The job
is worked off by the scheduler (`bulk_work.py`), batch by batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from refresher.catalogue import Catalogue
from refresher.errors import RefresherError
from refresher.rules import bulk as rules
from refresher.rules import bulk_plan, bulk_words
from refresher.rules.access import Actor
from refresher.rules.bulk import MAKE_DUE, Deed, LeftOut
from refresher.rules.bulk_plan import FAULTS, MOST, Order, OrderFault, Plan, PlanFault, Selection
from refresher.rules.bulk_words import JobState
from refresher.runtime.cipher import Cipher
from refresher.store import audit, bulk, bulk_rows, registration
from refresher.store.bulk import Job
from refresher.store.bulk_rows import Group, Look, Row
from refresher.store.looking import looking
from refresher.store.session import Database, Db

SAMPLE = 20
_LOOKED_AT = 3 * SAMPLE
MOST_LOOKS = 4
"""Each looks at 3,000 candidates at most. What is not through then is held for too many to count."""
MOST_WEIGHED = 1_000
"""Of so many a preview says how each stands; of those behind them, that they match."""


class BulkRefused(RefresherError):
    """A job is not begun; `reason` is the code."""

    exit_code = 2

    def __init__(self, reason: PlanFault | OrderFault, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


class NoSuchJob(RefresherError):
    """No bulk job has this number."""

    exit_code = 2

    def __init__(self, job_id: int) -> None:
        super().__init__(f"no bulk job has the number {job_id}")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be done to whom. `number` None: so many match that they are not counted.

    `providers` counts those it is done to, `left_out` the others by reason; `sample` are some of the
    first, the newest first. Where more match than `weighed`, these are of the first so many, and
    `number` has the others whole, though some of them may be left out.
    """

    plan: Plan
    providers: Mapping[str, int]
    left_out: Mapping[LeftOut, int]
    sample: Sequence[Row]
    spread_seconds: float
    weighed: int | None = None

    @property
    def number(self) -> int | None:
        """How many it is done to."""
        return self.plan.number


def narrowed(selection: Selection, by: Actor) -> Selection:
    """Returns the selection within the actor's organization; those chosen one by one are the filter."""
    own = by.organization_id or selection.organization_id
    if selection.ids:
        return Selection(ids=tuple(dict.fromkeys(selection.ids)), organization_id=own)
    return replace(selection, organization_id=own)


def preview(
    database: Database,
    catalogue: Catalogue,
    by: Actor,
    deed: Deed,
    selection: Selection,
    *,
    seconds: float = 10.0,
) -> Preview:
    """Returns what this deed would do now; nothing is done. Reads a bounded number of connections.

    Raises `TooSlow` where a statement takes longer than `seconds`.
    """
    chosen = narrowed(selection, by)
    with looking(database, seconds) as db:
        as_of = registration.database_now(db)
        look = Look(deed, chosen.organization_id, as_of, chosen.health)
        ids, are_all, groups, sample = weighed(db, chosen, look)
    first = ids[:MOST_WEIGHED]
    headlines = [(group, rules.left_out(deed, group.standing)) for group in groups]
    providers, missing = Counter[str](), Counter[LeftOut]()
    for group, reason in headlines:
        if reason is None:
            providers[group.provider] += group.number
        else:
            missing[reason] += group.number
    unknown = len(first) - sum(group.number for group in groups)
    missing += Counter({LeftOut.GONE: unknown}) if unknown else Counter()
    number = providers.total() + len(ids) - len(first) if are_all else None
    plan = Plan(uuid4(), deed, chosen, as_of, number)
    spread = 0.0
    if deed in MAKE_DUE:
        whole = {name: n * len(ids) // len(first) for name, n in providers.items()}
        spread = rules.spread_seconds(whole, rates(catalogue, providers))
    of_first = len(first) if len(ids) > len(first) or not are_all else None
    return Preview(plan, dict(providers.most_common()), dict(missing), sample, spread, of_first)


def weighed(
    db: Db, chosen: Selection, look: Look
) -> tuple[Sequence[UUID], bool, list[Group], list[Row]]:
    """Returns those that match, whether these are all, how the first stand, and some of them."""
    ids, are_all = _ids(db, chosen)
    first = ids[:MOST_WEIGHED]
    groups = bulk_rows.groups(db, first, look, beside=ids)
    return ids, are_all, groups, _sample(db, look.deed, first, look, beside=ids)


def counted(
    database: Database, selection: Selection, tell: Callable[[int], None] = lambda _: None
) -> int:
    """Returns how many match, however many; `tell` hears how many there are so far."""
    number = 0
    after: str | None = None
    while True:
        with database.transaction() as db:
            ids, after = bulk_rows.matching(db, selection, after=after, limit=MOST)
        number += len(ids)
        tell(number)
        if after is None:
            return number


def signed(cipher: Cipher, plan: Plan, by: Actor) -> str:
    """Returns the plan as it stands in a form."""
    key_id, key = next(iter(cipher.derived(bulk_plan.PURPOSE).items()))
    return bulk_plan.sign(plan, by.id, key_id, key)


def opened(database: Database, cipher: Cipher, text: str, by: Actor) -> Plan:
    """Returns the plan that a form brings back; raises `BulkRefused`."""
    with database.transaction() as db:
        now = registration.database_now(db)
    found = bulk_plan.read(text, cipher.derived(bulk_plan.PURPOSE), by.id, now)
    if isinstance(found, PlanFault):
        raise BulkRefused(found, FAULTS[found])
    return found


def begin(database: Database, by: Actor, plan: Plan, typed: int | None = None) -> Job:
    """Begins the job of a plan, and returns it, the same for the same plan; raises `BulkRefused`."""
    fault = bulk_plan.fault_of(plan, typed, for_all=by.organization_id is None)
    if fault is not None:
        raise BulkRefused(fault, bulk_words.refusal(fault, plan))
    return ordered(database, by, bulk_plan.order(plan, typed))


def ordered(database: Database, by: Actor, order: Order) -> Job:
    """Begins a job."""
    with database.transaction() as db:
        job, is_new = bulk.add(db, by, order)
        if is_new:
            audit.note(db, by, "bulk_begun", by.organization_id, f"bulk:{job.id} {job.deed}")
    return job


def find(database: Database, by: Actor, job_id: int) -> Job:
    """Returns a job that this actor may know; raises `NoSuchJob`."""
    with database.transaction() as db:
        return _found(db, by, job_id)


def recent(
    database: Database, by: Actor, *, before: int | None = None, limit: int = 50
) -> list[Job]:
    """Returns the newest jobs that this actor may know."""
    with database.transaction() as db:
        return bulk.page(db, by.organization_id, before=before, limit=limit)


def stop(database: Database, by: Actor, job_id: int) -> Job:
    """Stops a job after the batch that is under way; what it did stays. One that has ended stays so."""
    with database.transaction() as db:
        _found(db, by, job_id)
        if bulk.end(db, job_id, JobState.STOPPED, by.told):
            audit.note(db, by, "bulk_stopped", by.organization_id, f"bulk:{job_id}")
        return _found(db, by, job_id)


def rates(catalogue: Catalogue, providers: Mapping[str, int]) -> dict[str, float | None]:
    """Returns the requests a second that each provider takes, where its entry tells."""
    entries = {name: catalogue.get(name) for name in providers}
    return {n: entry.max_requests_per_second if entry else None for n, entry in entries.items()}


def _found(db: Db, by: Actor, job_id: int) -> Job:
    found = bulk.find(db, job_id, by.organization_id)
    if found is None:
        raise NoSuchJob(job_id)
    return found


def _ids(db: Db, chosen: Selection) -> tuple[Sequence[UUID], bool]:
    """Returns those that match, up to the number that is counted, and whether these are all."""
    if chosen.ids:
        return chosen.ids, True
    found: list[UUID] = []
    after: str | None = None
    for _ in range(MOST_LOOKS):
        ids, after = bulk_rows.matching(db, chosen, after=after, limit=MOST + 1 - len(found))
        found += ids
        if after is None or len(found) > MOST:
            break
    return found[:MOST], after is None and len(found) <= MOST


def _sample(
    db: Db, deed: Deed, ids: Sequence[UUID], look: Look, beside: Sequence[UUID]
) -> list[Row]:
    newest = bulk_rows.newest(db, ids, limit=_LOOKED_AT)
    found = {row.id: row for row in bulk_rows.rows(db, newest, look, beside=beside)}
    shown = [found[id_] for id_ in newest if id_ in found]
    return [row for row in shown if rules.left_out(deed, row.standing) is None][:SAMPLE]
