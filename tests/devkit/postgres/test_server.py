"""The embedded PostgreSQL serves, keeps what it is given, and is shared."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from refresher.devkit.postgres import EmbeddedPostgres
from refresher.devkit.postgres.cluster import read_postmaster
from refresher.errors import EmbeddedPostgresError
from tests.devkit.postgres.kit import USER, ask, remember, wait_for_clean_stop


def test_an_empty_directory_becomes_a_durable_database(empty_folder):
    """A directory that does not exist yet is made, and its server keeps what it commits."""
    with EmbeddedPostgres(empty_folder) as database:
        assert database.url.replace("+psycopg", "") == database.plain_url
        assert database.url.startswith("postgresql+psycopg://refresher@/refresher?host=")
        assert ask(database, "SHOW fsync") == "on"
        assert ask(database, "SHOW listen_addresses") == ""
        assert ask(database, "SELECT current_database()") == "refresher"


def test_data_outlives_the_server(folder):
    """A second start on the same directory finds the data of the first."""
    with EmbeddedPostgres(folder) as database:
        remember(database)
    assert read_postmaster(folder / "data") is None
    with EmbeddedPostgres(folder) as database:
        assert ask(database, "SELECT number FROM kept") == 42


def test_two_processes_share_one_server(folder, start_user):
    """A second process joins the server, and its leaving does not stop it for the first."""
    user = start_user(folder)
    with EmbeddedPostgres(folder) as database:
        shared = read_postmaster(folder / "data")
        assert ask(database, "SELECT 1") == 1
    assert shared is not None
    assert shared.answers
    assert user.is_running()


def test_the_first_user_may_leave_before_the_second(folder, start_user):
    """The one that started the server leaves; the other works on, and stops it as the last one."""
    first = EmbeddedPostgres(folder).start()
    second = start_user(folder)
    first.stop()
    found = read_postmaster(folder / "data")
    assert found is not None
    assert found.answers
    second.kill()
    wait_for_clean_stop(folder)


def test_a_joint_first_start_makes_one_server(empty_folder, spawn):
    """Two processes that start at once on a new directory end up on the same server."""
    users = [spawn("-c", USER, str(empty_folder)) for _ in range(2)]
    for user in users:
        user.wait_for("up guard=", 60)
    # Exactly one of them started it, and so has a guard to its name.
    assert sorted("None" in user.output for user in users) == [False, True]


def test_stopping_twice_does_no_harm(folder):
    """`stop` on a stopped server does nothing, and a stopped one has no URL."""
    database = EmbeddedPostgres(folder).start()
    database.stop()
    database.stop()
    assert not database.is_alive()
    with pytest.raises(EmbeddedPostgresError, match="has not been started"):
        _ = database.url


@pytest.mark.parametrize("name", ["long-" + "x" * 120, 'it\'s, a "$HOME" & 50% ünïcode; folder'])
def test_awkward_paths_work(prepared, empty_folder, name):
    """A path too long for a socket, or full of characters with a meaning, makes no difference."""
    folder = empty_folder / name
    empty_folder.mkdir()
    subprocess.run(["cp", "-a", prepared, folder], check=True)
    with EmbeddedPostgres(folder) as database:
        assert ask(database, "SELECT 1") == 1
        found = read_postmaster(folder / "data")
    assert found is not None
    assert not Path(found.socket_folder).exists(), "the socket's own folder is cleaned up"


def test_a_symbolic_link_leads_to_the_same_server(folder):
    """Two names of one directory are one server."""
    alias = folder.with_name("alias")
    alias.symlink_to(folder)
    with EmbeddedPostgres(folder) as database, EmbeddedPostgres(alias) as same:
        assert same.url == database.url


def test_it_is_silent(folder):
    """A start and a stop print nothing and warn of nothing, also without XDG_RUNTIME_DIR."""
    program = (
        "import sys, pathlib, refresher.devkit.postgres as e\n"
        "with e.EmbeddedPostgres(pathlib.Path(sys.argv[1])): pass"
    )
    env = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, folder],
        env=env,
        capture_output=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_variables_of_another_postgresql_do_not_interfere(folder, monkeypatch):
    """`PGPORT`, `PGDATA` and their like, set for another server, do not reach this one."""
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGHOST": "nowhere"}.items():
        monkeypatch.setenv(name, value)
    with EmbeddedPostgres(folder) as database:
        assert database.is_alive()
