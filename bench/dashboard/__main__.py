"""How long each page of the dashboard takes, and whether Postgres reads a big table for one.

    python -m bench.dashboard --connections 1000000
    python -m bench.dashboard --connections 10000000 --keep FOLDER     the rows are made once

Real processes on one machine: PostgreSQL out of a wheel, `python -m refresher.web`, and this, which
asks every page that the routes name, with several queries each, one after another. Made by SQL: see
`rows.py`. Whatever else the machine does is in the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import psycopg

from bench.dashboard.asking import Answered, Person, addresses, ask
from bench.dashboard.report import scans, scans_told, table
from bench.dashboard.rows import fill
from bench.dashboard.serving import EVERYBODY, Site, site
from refresher.catalogue.built_in import BUILT_IN
from refresher.devkit.postgres import EmbeddedPostgres
from refresher.store import migrate

IN_USE = 50


def main() -> None:
    """Makes the rows where they are not there, asks, prints; exits with 1 beyond the aims."""
    given = _options().parse_args()
    with _postgres(given.keep) as postgres:
        migrate.upgrade(postgres.url)
        with psycopg.connect(postgres.plain_url, autocommit=True) as db:
            known = db.execute("select reltuples from pg_class where relname = 'connection'")
            row = known.fetchone()
            if row is None or row[0] < given.connections / 2:
                fill(db, given.connections, _providers(), _say)
        with site(postgres.plain_url) as opened:
            answered, read = _asked(postgres.plain_url, opened, given.rounds, given.only)
    _tell(given, answered, read)


def _asked(
    plain_url: str, opened: Site, rounds: int, only: str
) -> tuple[list[Answered], dict[str, tuple[int, int]]]:
    with psycopg.connect(plain_url, autocommit=True) as db:
        wanted = [one for one in addresses(db, opened) if only in one.pattern]
        people = {
            whose: [Person(opened, whose) for _ in range(4 if whose == EVERYBODY else 2)]
            for whose in opened.keys
        }
        read = {}
        for pattern in dict.fromkeys(one.pattern for one in wanted):
            before = scans(db)
            ask(people, [one for one in wanted if one.pattern == pattern], rounds=1)
            for name, seen in scans(db).items():
                if seen != before.get(name, (0, 0)):
                    read[f"{name} for {pattern}"] = (
                        seen[0] - before[name][0],
                        seen[1] - before[name][1],
                    )
        return ask(people, wanted, rounds=rounds), read


def _tell(
    given: argparse.Namespace, answered: list[Answered], read: dict[str, tuple[int, int]]
) -> None:
    if given.json:
        print(json.dumps({"pages": [asdict(a) for a in answered], "scans": read}))
    else:
        print(table(answered))
        print(scans_told(read))
    slow = [one for one in answered if one.p50_ms > 100 or one.p99_ms > 300 or one.refused]
    sys.exit(1 if slow or read else 0)


@contextmanager
def _postgres(keep: Path | None) -> Iterator[EmbeddedPostgres]:
    with ExitStack() as stack:
        if keep is None:
            made = tempfile.TemporaryDirectory(
                prefix="refresher-bench-", ignore_cleanup_errors=True
            )
            keep = Path(stack.enter_context(made))
        keep.mkdir(parents=True, exist_ok=True)
        yield stack.enter_context(EmbeddedPostgres(keep.resolve() / "postgres"))


def _providers() -> list[str]:
    """Returns providers that the catalogue knows, the well-known ones first."""
    names = sorted(BUILT_IN.names)
    first = [n for n in ("google", "hubspot", "xero", "slack", "microsoft") if n in names]
    return [*first, *(n for n in names if n not in first)][:IN_USE]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=25, help="how often each address is asked")
    parser.add_argument("--keep", type=Path, help="the folder in which the rows stay")
    parser.add_argument("--only", default="", help="part of the routes that are asked")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    main()
