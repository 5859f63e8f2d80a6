"""One thing that a check has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """What was checked, how it is, and how to mend it where it is not well."""

    check: str
    level: Literal["ok", "warn", "fail"]
    message: str
    mend: str | None = None


def ok(check: str, message: str) -> Finding:
    """Returns a finding that needs nothing."""
    return Finding(check, "ok", message)


def warn(check: str, message: str, mend: str) -> Finding:
    """Returns a finding that is worth a look."""
    return Finding(check, "warn", message, mend)


def fail(check: str, message: str, mend: str) -> Finding:
    """Returns a finding that keeps tokens from being refreshed, or soon will."""
    return Finding(check, "fail", message, mend)
