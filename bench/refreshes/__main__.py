"""The command line of `python -m bench.refreshes`: its options, and what it prints."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from rich.console import Console

from bench.refreshes.plan import Order, Plan, SenderName, Transport, check
from bench.refreshes.report import table
from bench.refreshes.run import perform
from refresher.cli.app import RootGroup
from refresher.cli.output import CONTEXT, Json, WrongUse, emit, examples, note

Connections = Annotated[int, typer.Option(help="How many connections to refresh once.")]
Latency = Annotated[float, typer.Option(help="Seconds that the provider takes to answer.")]
DuePerSecond = Annotated[
    float | None,
    typer.Option(
        help="So many fall due each second, the rest tomorrow; without it, all at one instant.",
        show_default=False,
    ),
]
ForSeconds = Annotated[float, typer.Option(help="For how long, with --due-per-second.")]
OrderName = Annotated[
    str,
    typer.Option(help="heap: rows are claimed as they are stored; shuffled: from anywhere."),
]
TransportName = Annotated[str, typer.Option(help="redis, or in_process: the scheduler refreshes.")]
Processes = Annotated[
    int | None,
    typer.Option(help="Processes that refresh: 2, or 1 when in_process.", show_default=False),
]
Threads = Annotated[int, typer.Option(help="Batches that each process works on at a time.")]
InFlight = Annotated[
    int | None,
    typer.Option(
        help="Requests that each process has under way: 200, or enough for 10,000 a second at this "
        "latency.",
        show_default=False,
    ),
]
Sender = Annotated[str, typer.Option(help="auto, httpx or pyreqwest.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(help="An empty database of its own, instead of an embedded PostgreSQL."),
]
RedisUrl = Annotated[str | None, typer.Option(help="A Redis, instead of one started for the run.")]


RUNS = (
    "python -m bench.refreshes",
    "python -m bench.refreshes --latency 0.2 --connections 100000",
    "python -m bench.refreshes --transport in_process --json",
    "python -m bench.refreshes --connections 1000000 --due-per-second 500",
)
app = typer.Typer(
    cls=RootGroup,
    rich_markup_mode="markdown",
    add_completion=False,
    pretty_exceptions_enable=False,
    subcommand_metavar="",
    context_settings=CONTEXT,
)


@app.callback(invoke_without_command=True, epilog=examples(*RUNS))
def bench(
    connections: Connections = 20_000,
    latency: Latency = 0.0,
    due_per_second: DuePerSecond = None,
    for_seconds: ForSeconds = 30.0,
    order: OrderName = "heap",
    transport: TransportName = "redis",
    processes: Processes = None,
    threads: Threads = 4,
    in_flight: InFlight = None,
    sender: Sender = "auto",
    database_url: DatabaseUrl = None,
    redis_url: RedisUrl = None,
    json: Json = False,
) -> None:
    """Measure refreshes a second with the real processes, all on this machine.

    Imports connections, starts scheduler and workers, makes rows due and waits until each is
    refreshed against a token endpoint that answers at once. All share this machine, so
    read ratios. REFRESHER_* settings count. Exits with 1 unless all were refreshed.
    """
    _one_of("--order", order, ("heap", "shuffled"))
    _one_of("--transport", transport, ("redis", "in_process"))
    _one_of("--sender", sender, ("auto", "httpx", "pyreqwest"))
    plan = Plan(
        connections=connections,
        latency_seconds=latency,
        due_per_second=due_per_second,
        for_seconds=for_seconds,
        order=cast("Order", order),
        transport=cast("Transport", transport),
        processes=processes if processes is not None else (2 if transport == "redis" else 1),
        threads=threads,
        in_flight=in_flight,
        sender=cast("SenderName", sender),
        database_url=database_url,
        redis_url=redis_url,
    )
    report = perform(check(plan), note)
    if json:
        emit(report.as_json())
    else:
        Console(highlight=False).print(table(report))
    raise typer.Exit(0 if report.is_good else 1)


def _one_of(option: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise WrongUse(f"{option} is {given}: give {', '.join(allowed[:-1])} or {allowed[-1]}")


if __name__ == "__main__":
    app(prog_name="python -m bench.refreshes")
