"""Signals that arrive while something runs that must not be cut in half."""

import os
import signal

import pytest

from refresher.cli.session import signals_held


def test_a_signal_waits_for_the_end_of_the_block(capsys: pytest.CaptureFixture[str]):
    """The block ends, is told to hurry, and only then the signal takes effect."""
    done, told = [], []

    def interrupted() -> None:
        with signals_held("this has ended", lambda: told.append(1)):
            os.kill(os.getpid(), signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (done, told) == ([1], [1])
    assert "Stopping when this has ended" in capsys.readouterr().err


def test_what_is_ignored_stays_ignored():
    """A command in the background, whose shell has it ignore Ctrl-C, does not stop for one."""
    told: list[int] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with signals_held("this has ended", lambda: told.append(1)):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert told == []
