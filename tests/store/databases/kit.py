"""Short words for what tests of foreign databases do."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

import psycopg
from sqlalchemy import text

from refresher.settings import sqlalchemy_url
from refresher.store.pool import Pool
from tests.services import plain


@contextmanager
def connected(url: str, options: str | None = None) -> Iterator[Callable[[str], str]]:
    """Opens a database, with `options` of its URL; returns what shows one of its settings."""
    given = url if options is None else f"{url}&options={quote(options)}"
    with closing(Pool(sqlalchemy_url(given))) as database, database.transaction() as db:
        yield lambda name: str(db.execute(text(f"show {name}")).scalar_one())


def run(url: str, *statements: str) -> None:
    """Runs statements on a database, as its owner would."""
    with psycopg.connect(plain(url), autocommit=True) as db:
        for statement in statements:
            db.execute(statement.encode())


def ask(url: str, question: str) -> list[tuple[object, ...]]:
    """Returns the rows of a query."""
    with psycopg.connect(plain(url), autocommit=True) as db:
        return db.execute(question.encode()).fetchall()
