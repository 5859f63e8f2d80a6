"""An environment with nothing in it, and how a test sets what it needs."""

import os

import pytest


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clears what the machine has set."""
    for name in list(os.environ):
        if name.upper().startswith("REFRESHER_") or name in {"DATABASE_URL", "REDIS_URL", "PORT"}:
            monkeypatch.delenv(name)


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Sets these variables for the one test."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
