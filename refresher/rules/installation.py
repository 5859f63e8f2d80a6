"""What the processes of one installation share: the names of what it keeps in Redis, and its keys.

Pure. Everything in Redis begins with the installation's name. Of keys only their ids are compared, the
sealing one first.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from uuid import UUID


class Agreement(Enum):
    """How two lists of keys stand to each other."""

    SAME = auto()
    """Both seal with the same key."""
    OTHER_SEALS = auto()
    """Each can open what the other seals, but they seal with different keys."""
    CLOSED_HERE = auto()
    """What the process seals cannot be opened here."""
    CLOSED_THERE = auto()
    """What is sealed here cannot be opened by the process."""


def compare(theirs: Sequence[str], ours: Sequence[str]) -> Agreement:
    """Returns how a process's keys stand to ours. Nobody without a key seals anything."""
    if ours and ours[0] not in theirs:
        return Agreement.CLOSED_THERE
    if theirs and theirs[0] not in ours:
        return Agreement.CLOSED_HERE
    return Agreement.SAME if theirs[:1] == ours[:1] else Agreement.OTHER_SEALS


PREFIX = "refresher:"


def namespace(installation: UUID) -> str:
    """Returns what the names of its keys begin with, without the colon behind it."""
    return f"{PREFIX}{installation.hex}"
