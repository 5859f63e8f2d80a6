"""What a transaction is to all of `store/`: what SQLAlchemy's connection and a plain session both can.

A process that works has a pool (`pool.py`), a command that only looks a session of the driver's own
(`plain.py`), so that it starts without SQLAlchemy. Both are given the same statements, as the driver
takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, Protocol

RowMapping = Mapping[str, Any]
"""A row by the names of its columns."""
_VALUE = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")  # no cast like `::float8`, no slice


class Picked(Protocol):
    """Rows by the names of their columns, or their first columns alone."""

    def first(self) -> Any:
        """Returns the first one, None where there is none."""

    def one(self) -> Any:
        """Returns the only one; raises where there are none or several."""

    def all(self) -> Sequence[Any]:
        """Returns all of them."""

    def __iter__(self) -> Iterator[Any]: ...


class Answer(Picked, Protocol):
    """What came of a statement: its rows, which know the names of their columns."""

    @property
    def rowcount(self) -> int:
        """How many rows it returned, or changed."""

    def mappings(self) -> Picked:
        """Returns the rows by the names of their columns."""

    def scalars(self) -> Picked:
        """Returns each row's first column."""

    def scalar(self) -> Any:
        """Returns the first column of the first row, None where there is none."""

    def scalar_one(self) -> Any:
        """Returns the first column of the only row."""

    def scalar_one_or_none(self) -> Any:
        """Returns the same, None where there is no row."""


class Db(Protocol):
    """An open transaction: what every function under `store/` takes first."""

    @property
    def connection(self) -> Any:
        """What has the driver's own session, as `driver_connection`."""

    @property
    def info(self) -> dict[Any, Any]:
        """What is remembered of the session."""

    @property
    def closed(self) -> bool:
        """Whether it has ended."""

    @property
    def invalidated(self) -> bool:
        """Whether its session broke."""

    def execute(self, statement: Any, parameters: Any = None, /) -> Any:
        """Executes SQLAlchemy's `text`."""

    def exec_driver_sql(
        self,
        statement: str,
        parameters: Any = None,
        execution_options: Any = None,
    ) -> Any:
        """Executes a statement that is written as the driver takes it."""

    def get_execution_options(self) -> Mapping[str, Any]:
        """Returns how it executes."""

    def begin_nested(self) -> AbstractContextManager[Any]:
        """Opens a savepoint, to which an error in the block goes back."""


@lru_cache(maxsize=1_000)
def as_driver(sql: str) -> str:
    """Returns a statement with `:name` for a value as the driver takes it."""
    return _VALUE.sub(r"%(\1)s", sql.replace("%", "%%"))
