"""`refresher bench`: how many refreshes a second this machine carries.

What it does is in `refresher/bench`; here are its options and what it prints.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, cast

import typer

from refresher.cli.output import Json, emit, examples, note
from refresher.cli.refusal import WrongUse

if TYPE_CHECKING:
    from refresher.devkit.bench.plan import Plan, SenderName, Transport
    from refresher.devkit.bench.report import Report

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
TransportName = Annotated[str, typer.Option(help="redis, or in_process: the scheduler refreshes.")]
Processes = Annotated[
    int | None, typer.Option(help="Worker processes: 2, or 1 when in_process.", show_default=False)
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


def register(app: typer.Typer) -> None:
    """Adds `bench`."""
    runs = (
        "refresher bench",
        "refresher bench --latency 0.2 --connections 100000",
        "refresher bench --transport in_process --json",
        "refresher bench --connections 1000000 --due-per-second 500",
    )
    app.command("bench", epilog=examples(*runs))(bench)


def bench(
    connections: Connections = 20_000,
    latency: Latency = 0.0,
    due_per_second: DuePerSecond = None,
    for_seconds: ForSeconds = 30.0,
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
    _demand_psutil()
    _one_of("--transport", transport, ("redis", "in_process"))
    _one_of("--sender", sender, ("auto", "httpx", "pyreqwest"))
    from refresher.devkit.bench.plan import Plan, check

    plan = Plan(
        connections=connections,
        latency_seconds=latency,
        due_per_second=due_per_second,
        for_seconds=for_seconds,
        transport=cast("Transport", transport),
        processes=processes if processes is not None else (2 if transport == "redis" else 1),
        threads=threads,
        in_flight=in_flight,
        sender=cast("SenderName", sender),
        database_url=database_url,
        redis_url=redis_url,
    )
    _run(check(plan), json=json)


def _run(plan: Plan, *, json: bool) -> None:
    from refresher.devkit.bench.run import perform

    report = perform(plan, note)
    if json:
        emit(report.as_json())
    else:
        _print(report)
    raise typer.Exit(0 if report.is_good else 1)


def _demand_psutil() -> None:
    if find_spec("psutil") is None:
        raise WrongUse("psutil is needed to measure processes: install refresher[embedded]")


def _one_of(option: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise WrongUse(f"{option} is {given}: give {', '.join(allowed[:-1])} or {allowed[-1]}")


def _print(report: Report) -> None:
    from rich.console import Console

    from refresher.devkit.bench.report import table

    Console(highlight=False).print(table(report))
