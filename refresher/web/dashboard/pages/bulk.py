"""Bulk: what would be done to many connections, asked first; how far a job is; the last jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from refresher.connections import bulk
from refresher.connections.bulk import BulkRefused, NoSuchJob, Preview
from refresher.rules import bulk_words
from refresher.rules.access import Scope
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import MOST, MOST_CHOSEN, Selection
from refresher.rules.standing_word import Health, label
from refresher.store.bulk import Job
from refresher.store.bulk_rows import Row
from refresher.web.dashboard.routing import Answer, Goto, Mistaken, NotHere, Page, Route
from refresher.web.dashboard.visit import Pairs, Visit
from refresher.web.reading import ID

PATTERN = "/ui/bulk"
LISTED = 50
LABELS = {word.value: label(word) for word in Health}
FIELDS = ("health", "provider", "app", "organization")
LOOK_SECONDS = 1.0
NONE_CHOSEN = (
    "Nothing is chosen: tick connections in their list, or take all that match the filter."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One of those it would be done to, with what people call its provider."""

    row: Row
    at: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the preview shows. `fields` are what was asked for, to ask again."""

    seen: Preview
    sums: Sequence[tuple[str, int]]
    left_out: Sequence[str]
    rows: Sequence[Shown]
    fields: Pairs
    back: Mapping[str, str]
    plan: str
    is_for_all: bool

    @property
    def deed(self) -> Deed:
        """What would be done."""
        return self.seen.plan.deed

    @property
    def number(self) -> int | None:
        """To how many; None: to more than are counted."""
        return self.seen.number

    @property
    def title(self) -> str:
        """The question."""
        return bulk_words.question(self.deed, self.number)

    @property
    def button(self) -> str:
        """What the button says."""
        return bulk_words.title(self.deed, self.number)

    @property
    def sub(self) -> list[str]:
        """The filters in words."""
        return bulk_words.filters(self.seen.plan.selection, LABELS)

    @property
    def sentence(self) -> str:
        """What is done to each."""
        return bulk_words.headline(self.deed, self.number)

    @property
    def consequence(self) -> str:
        """What follows."""
        return bulk_words.consequence(self.deed, self.seen.spread_seconds)

    @property
    def tone(self) -> str:
        """How grave it is."""
        return "plain" if self.number == 0 else bulk_words.TONES[self.deed]

    @property
    def command(self) -> str | None:
        """What does so many at the command line."""
        plan = self.seen.plan
        return plan.selection.command(plan.deed) if self.number is None else None

    @property
    def typed(self) -> str | None:
        """What is asked to be typed, if a number is."""
        if self.number is None:
            return f"How many it may be at most, above {MOST:,}" if self.is_for_all else None
        return f"Type the number, {self.number}" if self.deed is Deed.DELETE else None

    @property
    def can_be_done(self) -> bool:
        """Whether there is anything that may be done from here."""
        return self.number != 0 and (self.number is not None or self.is_for_all)


@dataclass(frozen=True, slots=True)
class JobView:
    """One job, in words."""

    job: Job

    @property
    def title(self) -> str:
        """What it is called."""
        what = bulk_words.title(self.job.deed, self.job.most)
        return f"Bulk {self.job.id}: {what[0].lower()}{what[1:]}"

    @property
    def sentence(self) -> str:
        """How far it is."""
        return bulk_words.sentence(self.job.progress)

    @property
    def tone(self) -> str:
        """Its colour."""
        return bulk_words.tone(self.job.progress)

    @property
    def sub(self) -> list[str]:
        """The filters in words."""
        return bulk_words.filters(self.job.selection, LABELS)

    @property
    def left_out(self) -> list[str]:
        """Who was left out and why."""
        return bulk_words.left_out_in_words(self.job.deed, self.job.left_out)

    @property
    def left(self) -> int:
        """How many are not dealt with yet."""
        return self.job.progress.left


@dataclass(frozen=True, slots=True)
class JobList:
    """The newest jobs, and the number behind which older ones begin."""

    jobs: Sequence[JobView]
    older: int | None

    @property
    def sentence(self) -> str:
        """How many are under way."""
        going = sum(1 for one in self.jobs if one.job.ended_at is None)
        return bulk_words.under_way(going)


def show(visit: Visit) -> Page:
    """Shows what would be done, or the last jobs where nothing is asked for."""
    if not visit.query.get("do"):
        return _jobs(visit)
    if "chosen" in visit.query and not visit.queries("id"):
        raise Mistaken(NONE_CHOSEN, _jobs(visit))
    return _question(visit, visit.query, visit.queries("id"))


def begin(visit: Visit) -> Answer:
    """Begins what the plan says, once; a plan that is too old is shown anew."""
    typed = visit.form.get("number", "").replace(",", "").strip()
    if typed and not (typed.isdecimal() and len(typed) < 13):
        raise Mistaken("The number is none: type digits only.", _again(visit))
    try:
        services = visit.services
        plan = bulk.opened(visit.database, services.cipher, visit.form.get("plan", ""), visit.actor)
        job = bulk.begin(visit.database, visit.actor, plan, int(typed) if typed else None)
    except BulkRefused as refused:
        sentence = f"Nothing was begun: {refused}."
        raise Mistaken(sentence, _again(visit)) from None
    return Goto(f"{PATTERN}/{job.id}")


def progress(visit: Visit) -> Page:
    """Shows how far a job is."""
    view = JobView(_job(visit))
    return Page("bulk_job.html", view, view.title)


def stop(visit: Visit) -> Goto:
    """Stops a job."""
    before = _job(visit)
    bulk.stop(visit.database, visit.actor, before.id)
    said = "It had ended already." if before.ended_at else "It is stopped; what it did stays."
    return Goto(f"{PATTERN}/{before.id}", said)


def _again(visit: Visit) -> Page:
    """Returns the question of a form as it stands now; the last jobs where it cannot be asked."""
    if not visit.form.get("do"):
        return _jobs(visit)
    return _question(visit, visit.form, visit.forms("id"))


def _question(visit: Visit, asked: Mapping[str, str], ids: Sequence[str]) -> Page:
    try:
        deed, chosen = Deed(asked["do"]), _selection(visit, asked, ids)
    except ValueError as wrong:
        sentence = f"{wrong}." if str(wrong)[:5] == "There" else "There is no such deed."
        raise Mistaken(sentence, _jobs(visit)) from None
    services = visit.services
    seen = bulk.preview(
        visit.database, services.catalogue, visit.actor, deed, chosen, seconds=LOOK_SECONDS
    )
    given = [(name, asked[name]) for name in FIELDS if asked.get(name)]
    known = visit.services.catalogue
    view = Question(
        seen=seen,
        sums=[(known.known_as(name), count) for name, count in seen.providers.items()],
        left_out=bulk_words.left_out_in_words(deed, seen.left_out),
        rows=[Shown(row, known.known_as(row.provider)) for row in seen.sample],
        fields=[("do", deed.value), *given, *(("id", id_) for id_ in ids)],
        back=dict(given),
        plan=bulk.signed(services.cipher, seen.plan, visit.actor),
        is_for_all=visit.is_everybodys,
    )
    return Page("bulk.html", view, view.title, has_live_parts=False)


def _selection(visit: Visit, asked: Mapping[str, str], ids: Sequence[str]) -> Selection:
    """Returns what is asked for; nothing is left away, for that would mean more connections."""
    word = asked.get("health") or None
    if word is not None and word not in LABELS:
        raise ValueError(f"There is no word of health “{word[:40]}”: choose again")
    if not all(asked.get(name, "").isprintable() for name in FIELDS):
        raise ValueError("There is a control character in a filter, which no stored name has")
    if len(ids) > MOST_CHOSEN:
        raise ValueError(f"There are more than {MOST_CHOSEN} chosen: use the filters instead")
    if any(ID.fullmatch(id_) is None for id_ in ids):
        raise ValueError("There is something chosen that is no connection's id")
    organization = visit.key.organization_id or asked.get("organization") or None
    return Selection(
        tuple(UUID(id_) for id_ in ids),
        word,
        asked.get("provider") or None,
        asked.get("app") or None,
        organization,
    )


def _jobs(visit: Visit) -> Page:
    given = visit.query.get("cursor", "")
    before = int(given) if given.isdecimal() and len(given) < 19 else None
    found = bulk.recent(visit.database, visit.actor, before=before, limit=LISTED + 1)
    jobs = [JobView(job) for job in found[:LISTED]]
    older = found[LISTED - 1].id if len(found) > LISTED else None
    return Page("bulk_jobs.html", JobList(jobs, older), "Bulk jobs")


def _job(visit: Visit) -> Job:
    text = visit.parts["job"]
    if not text.isdecimal() or len(text) > 18:
        raise NotHere
    try:
        return bulk.find(visit.database, visit.actor, int(text))
    except NoSuchJob:
        raise NotHere from None


ROUTES = (
    Route("GET", PATTERN, show, section="connections"),
    Route("POST", PATTERN, begin, Scope.WRITE, section="connections"),
    Route("GET", PATTERN + "/{job}", progress, section="connections"),
    Route("POST", PATTERN + "/{job}/stop", stop, Scope.WRITE, section="connections"),
)
