"""Small values that a refresh makes by the dozen.

    @value
    class Claim:
        connection_id: UUID
        lease_token: int

mypy lets nobody change one, as with `@dataclass(frozen=True)`; at run time nothing checks it, because
that check makes a value six times as dear, and one refresh makes twenty. Where a value is made a
few times a second, take a frozen dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """Makes a class with slots, equality and a hash of its fields; never assign to one."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
