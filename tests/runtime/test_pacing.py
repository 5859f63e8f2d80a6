"""What one process remembers of each provider."""

import pytest

from refresher.catalogue import load
from refresher.runtime import limits
from refresher.runtime.limits import Pacer


def test_one_provider_alone_is_remembered_for_a_moment(monkeypatch: pytest.MonkeyPatch):
    """While one provider has nobody to share with, what is in flight is not counted for each claim."""
    clock = iter([10.0, 10.5, 11.5])
    monkeypatch.setattr(limits, "monotonic", lambda: next(clock))
    pacer = Pacer(load(), capacity=10)
    pacer.saw({"google": 9})
    assert pacer.is_alone({"google"})
    assert not pacer.is_alone({"google", "x"})
    assert not pacer.is_alone({"google"})


def test_two_providers_are_never_alone():
    """Who shares the capacity is counted for each claim."""
    pacer = Pacer(load(), capacity=10)
    pacer.saw({"google": 9, "x": 1})
    assert not pacer.is_alone({"google"})
