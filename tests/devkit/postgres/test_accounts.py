"""The account that a server runs as when we are root."""

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from refresher.devkit.postgres import binaries
from refresher.devkit.postgres.binaries import ServerUser, open_the_way


def test_the_account_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of many first starts at the same moment one makes the account, and all use that one."""
    # Given a machine without the account, on which making one takes a while
    accounts, everyone = tmp_path / "passwd", Barrier(8)
    accounts.touch()
    made: list[ServerUser] = []

    def make() -> ServerUser:
        time.sleep(0.01)  # as useradd does: whoever did not wait for its turn would be here as well
        made.append(ServerUser("pgserver", 995 + len(made), 995))
        return made[-1]

    monkeypatch.setattr(binaries, "ACCOUNTS", accounts)
    monkeypatch.setattr(binaries, "_find_user", lambda: made[-1] if made else None)
    monkeypatch.setattr(binaries, "_make_user", make)

    def start(_number: int) -> ServerUser:
        everyone.wait()
        return binaries._make_user_in_turn()

    # When eight start at once
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(start, range(8)))
    # Then they agree
    assert got == [ServerUser("pgserver", 995, 995)] * 8


def test_a_private_folder_is_opened_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of folders that are somebody's it is told; of the server's own, and of open ones, it is not."""
    theirs = tmp_path / "theirs"
    data = theirs / "data directory" / "postgres" / "data"
    data.mkdir(parents=True)
    for folder in (theirs, *data.parents[:2]):
        folder.chmod(0o700)
    open_the_way(theirs)  # pytest's own folders are private, too
    told: list[Path] = []
    monkeypatch.setattr(binaries, "OPENED", told)
    open_the_way(data, ours=2)
    open_the_way(data, ours=2)
    assert told == [theirs]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in data.parents[:3]} == {0o701}
