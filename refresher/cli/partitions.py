"""`refresher migrate --partitions`: what it would take, and the change itself with a bar."""

from __future__ import annotations

import typer

from refresher.cli import session
from refresher.cli.output import done, emit, facts, note
from refresher.cli.progress import progress
from refresher.rules.words import span
from refresher.settings import Settings
from refresher.store import repartition
from refresher.store.repartition import Plan

SECONDS_PER_GB = 50
"""Of rows and indexes: 47 were measured for 8.4 GB (docs/scaling.md), on two cores with other work."""
QUESTION = (
    "Both tables are copied. Nothing can be stored meanwhile, tokens can be read, and schedulers and "
    "workers must be stopped. Begin?"
)


def tell(settings: Settings, number: int, *, json: bool) -> None:
    """Prints what a change would take; the exit code is 1 where something is in its way."""
    plan = repartition.look(settings.database, settings.database_schema)
    told = {
        "now": plan.before,
        "wanted": number,
        "tables": {
            size.table: {
                "rows": size.rows, "row_bytes": size.row_bytes, "index_bytes": size.index_bytes
            } for size in plan.sizes
        },
        "needed_bytes": plan.needed_bytes,
        "seconds": round(_seconds(plan)),
        "in_the_way": plan.in_the_way,
    }  # fmt: skip
    if json:
        emit(told)
    else:
        facts(_in_words(plan, number))
    if plan.in_the_way is not None:
        raise typer.Exit(1)


def change(settings: Settings, number: int, *, yes: bool, json: bool) -> None:
    """Stores the connections in so many partitions; asks before it begins."""
    plan = repartition.look(settings.database, settings.database_schema)
    if plan.before != number and plan.in_the_way is None:
        note(f"It takes about {span(_seconds(plan))} and {plan.needed_bytes / 1e9:.1f} GB of disk.")
        session.confirm(QUESTION, to="copy the tables", yes=yes)
    with progress(lambda: 100) as moved:
        before = repartition.change(
            settings.database,
            settings.database_schema,
            number,
            lambda part, words: moved(int(part * 100), words),
        )
    if before == number:
        sentence = f"Connections are in {_form(number)} already; there was nothing to do."
    else:
        sentence = f"Connections were in {_form(before)}, and are in {_form(number)} now."
    done({"before": before, "after": number, "changed": before != number}, sentence, json=json)


def _in_words(plan: Plan, number: int) -> dict[str, object]:
    sizes = {
        size.table: f"{size.rows:,} rows, {size.row_bytes / 1e9:.2f} GB, and "
        f"{size.index_bytes / 1e9:.2f} GB of indexes"
        for size in plan.sizes
    }
    return {
        "now": _form(plan.before),
        "wanted": _form(number),
        **sizes,
        "disk needed meanwhile": f"{plan.needed_bytes / 1e9:.2f} GB",
        "time": f"about {span(_seconds(plan))}, an estimate",
        "in the way": plan.in_the_way or "nothing",
    }


def _seconds(plan: Plan) -> float:
    return 1 + sum(size.whole_bytes for size in plan.sizes) / 1e9 * SECONDS_PER_GB


def _form(number: int) -> str:
    return "one table" if number == 1 else f"{number} partitions"
