"""`refresher connections bulk`: one deed for many connections: looked at first, then worked off.

The job is the same as the dashboard's and the API's. This process works it off beside the scheduler: it
needs none, and one that is interrupted here goes on there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated

import typer

from refresher.catalogue import Catalogue
from refresher.cli import session
from refresher.cli.arguments import HealthWord, check_names
from refresher.cli.output import Json, WrongUse, command, done, emit, facts, listing, note, table
from refresher.cli.progress import progress
from refresher.connections import bulk, bulk_work
from refresher.connections.bulk import Preview
from refresher.rules import bulk_words
from refresher.rules.bulk import Deed
from refresher.rules.bulk_plan import Order, Selection
from refresher.rules.bulk_words import JobState
from refresher.rules.standing_word import Health, label
from refresher.runtime.parts import catalogue_from
from refresher.settings import load
from refresher.store.bulk import Job
from refresher.store.session import Database

PATIENCE_SECONDS = 0.2
LABELS = {word.value: label(word) for word in Health}
COLUMNS = ["provider", "external id", "organization", "cause"]
HELP: Mapping[Deed, str] = {
    Deed.REFRESH: "Refresh many connections before their time, spread.",
    Deed.RESUME: "Try many paused or parked connections once more, with the tokens they have.",
    Deed.ENABLE: "Switch many disabled connections on again.",
    Deed.PAUSE: "Leave many connections alone until they are resumed.",
    Deed.DISABLE: "Switch many connections off until they are enabled or resumed.",
    Deed.DELETE: "Delete many connections (softly: importing one again brings it back).",
}
MORE = (
    "First it shows how many, of which providers, some of them, and who is left out and why. It begins "
    "a job, which goes on in the scheduler when this is interrupted."
)
JobNumber = Annotated[int, typer.Argument(min=1, metavar="JOB", help="Its number.")]

app = typer.Typer()
group = typer.Typer(help="Do something to many connections at once.", no_args_is_help=True)
app.add_typer(group, name="bulk")


def _bulk(deed: Deed) -> Callable[..., None]:
    def run(
        provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
        health: HealthWord = None,
        organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
        app: Annotated[str | None, typer.Option(help="Only those of this app.")] = None,
        every: Annotated[
            bool, typer.Option("--all", help="Without a filter: every connection.")
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Only show what would be done.")
        ] = False,
        yes: session.Yes = False,
        json: Json = False,
    ) -> None:
        chosen = Selection((), health, provider, app, organization)
        if not all(text.isprintable() for text in (provider, organization, app) if text):
            raise WrongUse("a filter contains a control character, which no stored name has")
        if chosen == Selection() and not every:
            raise WrongUse("give a filter, or --all for every connection")
        _run(deed, chosen, dry_run=dry_run, yes=yes, json=json)

    run.__doc__ = f"{HELP[deed]}\n\n{MORE}"
    return run


for _deed in Deed:
    command(
        group,
        f"refresher connections bulk {_deed} --provider hubspot --dry-run",
        f"refresher connections bulk {_deed} --health reconnect_required --organization org1",
        name=_deed.value,
    )(_bulk(_deed))


@command(group, "refresher connections bulk list", name="list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """List the bulk jobs of the last thirty days, the newest first."""
    with session.database() as database:
        found = bulk.recent(database, session.actor(), limit=limit)
    columns = ["job", "what", "how far", "by", "begun"]
    none = "There is no bulk job."
    listing(found, columns, _listed, json=json, none=none, described=_described)


@command(group, "refresher connections bulk show 71")
def show(job: JobNumber, json: Json = False) -> None:
    """Show how far a bulk job is."""
    with session.database() as database:
        _tell(bulk.find(database, session.actor(), job), json=json)


@command(group, "refresher connections bulk stop 71")
def stop(job: JobNumber, json: Json = False) -> None:
    """Stop a bulk job; what it did stays."""
    with session.database() as database:
        _tell(bulk.stop(database, session.actor(), job), json=json)


def _run(deed: Deed, chosen: Selection, *, dry_run: bool, yes: bool, json: bool) -> None:
    settings = load()
    with session.database(settings) as database:
        catalogue = catalogue_from(settings, database)
        seen = _look(database, catalogue, deed, chosen)
        if dry_run or seen.number == 0:
            _show(seen, json=json)
            _say_none(database, seen)
            return
        if not json:
            _show(seen, json=False)
        _ask(seen, yes=yes)
        plan = seen.plan
        assert plan.number is not None
        order = Order(deed, plan.selection, plan.as_of, plan.number, plan.id)
        job = bulk.ordered(database, session.actor(), order)
        ended = _work_off(database, catalogue, job)
        _tell(ended, json=json)
    if ended.failed or ended.state is JobState.STOPPED:
        raise typer.Exit(1)


def _look(database: Database, catalogue: Catalogue, deed: Deed, chosen: Selection) -> Preview:
    """Returns the preview; what the screen does not count is counted here."""
    seen = bulk.preview(database, catalogue, session.actor(), deed, chosen)
    if seen.number is not None:
        return seen
    with progress(lambda: None) as shown:
        number = bulk.counted(database, seen.plan.selection, lambda n: shown(n, f"{n:,} match"))
    return replace(seen, plan=replace(seen.plan, number=number))


def _ask(seen: Preview, *, yes: bool) -> None:
    plan = seen.plan
    if plan.deed is not Deed.DELETE or yes:
        question = bulk_words.question(plan.deed, plan.number)
        session.confirm(question, to=plan.deed.value, yes=yes)
        return
    if not session.is_terminal():
        raise WrongUse("there is no terminal to ask on whether to delete: give --yes")
    if typer.prompt(f"Type the number, {plan.number}", err=True).strip() != str(plan.number):
        raise WrongUse("that is another number: nothing was deleted")


def _work_off(database: Database, catalogue: Catalogue, job: Job) -> Job:
    with progress(lambda: None) as shown:
        try:
            while (now := bulk.find(database, session.actor(), job.id)).ended_at is None:
                shown(now.total - now.progress.left, bulk_words.sentence(now.progress))
                if not bulk_work.work(database, catalogue, job.id):
                    time.sleep(PATIENCE_SECONDS)
        except KeyboardInterrupt:
            note(
                f"Bulk job {job.id} goes on in the scheduler: `refresher connections bulk show "
                f"{job.id}` tells how far it is, `refresher connections bulk stop {job.id}` stops it."
            )
            raise
    return now


def _show(seen: Preview, *, json: bool) -> None:
    plan = seen.plan
    missing = bulk_words.left_out_in_words(plan.deed, seen.left_out)
    if json:
        emit(
            {
                "deed": plan.deed,
                "title": bulk_words.title(plan.deed, plan.number),
                "number": plan.number,
                "providers": seen.providers,
                "left_out": {str(reason): count for reason, count in seen.left_out.items()},
                "spread_seconds": seen.spread_seconds,
                "sample": [row.id for row in seen.sample],
                "as_of": plan.as_of,
            }
        )
        return
    if seen.sample:
        rows = [[r.provider, r.external_id, r.organization_id, r.cause] for r in seen.sample]
        table(COLUMNS, rows)
        typer.echo()
    more = {"left out": "; ".join(missing)} if missing else {}
    facts({**{n: f"{count:,}" for n, count in seen.providers.items()}, **more})
    note(" · ".join(bulk_words.filters(plan.selection, LABELS)))
    note(bulk_words.headline(plan.deed, plan.number))
    if plan.number:
        note(bulk_words.consequence(plan.deed, seen.spread_seconds))


def _say_none(database: Database, seen: Preview) -> None:
    """Says what was meant, perhaps, where nothing fits; raises `UnknownProvider`."""
    if seen.number == 0 and not seen.left_out:
        chosen = seen.plan.selection
        meant = check_names(database, organization=chosen.organization_id, provider=chosen.provider)
        if meant:
            note(f"There is no such organization{meant}.")


def _tell(job: Job, *, json: bool) -> None:
    done(_described(job), f"Bulk job {job.id}: {bulk_words.sentence(job.progress)}", json=json)
    if not json:
        for one in bulk_words.left_out_in_words(job.deed, job.left_out):
            note(f"Left out: {one}.")


def _listed(job: Job) -> list[object]:
    what = bulk_words.title(job.deed, job.most)
    return [job.id, what, bulk_words.sentence(job.progress), job.made_by, job.created_at]


def _described(job: Job) -> dict[str, object]:
    return {
        "id": job.id,
        "deed": job.deed,
        "state": job.state,
        "told": bulk_words.sentence(job.progress),
        "why": job.why,
        "selection": job.selection.as_json(),
        "number": job.most,
        "total": job.total,
        "done": job.done,
        "skipped": job.skipped,
        "failed": job.failed,
        "left_out": {str(reason): count for reason, count in job.left_out.items()},
        "made_by": job.made_by,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
    }
