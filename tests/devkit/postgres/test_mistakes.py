"""What cannot work is told in one sentence that says what to do."""

import importlib.util

import pytest

from refresher.devkit.postgres import EmbeddedPostgres, server
from refresher.devkit.postgres.cluster import read_postmaster
from refresher.devkit.postgres.server import FileLock
from refresher.errors import EmbeddedPostgresError


def test_a_directory_that_cannot_be_used_is_named(empty_folder):
    """A file in the way of the directory is one sentence that names it and says what to do."""
    empty_folder.write_text("")
    with pytest.raises(EmbeddedPostgresError, match="choose a folder you may write to") as caught:
        EmbeddedPostgres(empty_folder / "data").start()
    assert str(empty_folder) in str(caught.value)


def test_a_damaged_directory_is_told_in_the_servers_words(folder):
    """A server that cannot start says why, and where its log is; nothing is left running."""
    (folder / "data" / "postgresql.conf").write_text("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start: .*server\.log"):
        EmbeddedPostgres(folder).start()
    assert read_postmaster(folder / "data") is None


def test_another_major_version_is_told(empty_folder):
    """A directory of a PostgreSQL that the package lacks is one sentence with both versions."""
    (empty_folder / "data").mkdir(parents=True)
    (empty_folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match="was made by PostgreSQL 15"):
        EmbeddedPostgres(empty_folder).start()


def test_a_missing_package_is_told(empty_folder, monkeypatch):
    """Without the wheel the sentence names the extra to install and the setting instead of it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedPostgresError, match=r"refresher\[embedded\].*DATABASE_URL"):
        EmbeddedPostgres(empty_folder).start()
    assert not empty_folder.exists()


def test_a_starter_that_hangs_is_told(folder, monkeypatch):
    """Who waits too long for another process's start says so instead of waiting for ever."""
    monkeypatch.setattr(server, "START_WAIT_SECONDS", 0.05)
    lock = FileLock(folder / "starting")
    lock.take("exclusive")
    with pytest.raises(EmbeddedPostgresError, match="Another process has been starting"):
        EmbeddedPostgres(folder).start()
    lock.close()
