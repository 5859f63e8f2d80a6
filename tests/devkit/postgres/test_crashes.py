"""What is killed loses nothing, leaves nothing running, and does not block the next start."""

import os
import signal

import pytest

from refresher.devkit.postgres import EmbeddedPostgres
from refresher.devkit.postgres.cluster import read_postmaster
from tests.devkit.postgres.kit import ask, kill_server, remember, wait_for_clean_stop
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_a_killed_user_takes_the_server_along_and_loses_nothing(folder, start_user):
    """After kill -9 of its last user the server stops by itself, and starts again with its data."""
    # Given a process that uses the server, and a row in it
    user = start_user(folder)
    with EmbeddedPostgres(folder) as database:
        remember(database)
    # When that process is killed
    user.kill()
    # Then nothing is left running, and nothing is lost
    wait_for_clean_stop(folder)
    with EmbeddedPostgres(folder) as database:
        assert ask(database, "SELECT number FROM kept") == 42


def test_a_start_right_after_a_kill_succeeds(folder, start_user):
    """Who starts while the server of a killed process is stopping waits, then has a server."""
    user = start_user(folder)
    user.kill()
    with EmbeddedPostgres(folder) as database:
        assert ask(database, "SELECT 1") == 1


def test_an_orphan_without_guard_is_adopted(folder, start_user):
    """A server whose user and guard were both killed is joined by the next user, then stopped."""
    # Given a server that runs for nobody
    user = start_user(folder)
    guard = int(user.output.partition("guard=")[2])
    os.kill(guard, signal.SIGKILL)
    user.kill()
    orphan = read_postmaster(folder / "data")
    assert orphan is not None
    assert orphan.answers
    # When somebody starts and stops
    with EmbeddedPostgres(folder) as database:
        joined = read_postmaster(folder / "data")
        assert ask(database, "SELECT 1") == 1
    # Then it was that same server, and it is stopped
    assert joined == orphan
    assert read_postmaster(folder / "data") is None


def test_a_dead_server_is_noticed_and_started_again(folder):
    """`is_alive` turns false when the server is killed; `start` heals, with all that was kept."""
    with EmbeddedPostgres(folder) as database:
        remember(database)
        assert database.is_alive()
        # When
        kill_server(folder)
        wait_until(lambda: not database.is_alive())
        # Then
        database.start()
        assert database.is_alive()
        assert ask(database, "SELECT number FROM kept") == 42


def test_a_dead_servers_number_may_belong_to_somebody_else(folder, spawn):
    """A stale process number, reused by a stranger, blocks no start and harms no stranger."""
    with EmbeddedPostgres(folder) as database:
        stranger = spawn("-c", "import signal; signal.pause()")
        # Given a server killed with -9, whose number the stranger then gets
        kill_server(folder)
        wait_until(lambda: not database.is_alive())
        claim = folder / "data" / "postmaster.pid"
        _, _, rest = claim.read_text().partition("\n")
        claim.write_text(f"{stranger.pid}\n{rest}")
        # When
        database.start()
        # Then
        assert ask(database, "SELECT 1") == 1
    assert stranger.is_running()


def test_a_ctrl_c_leaves_the_server_to_its_user(folder, start_user):
    """Ctrl-C reaches the whole process group: the server is stopped by its user, not by that."""
    user = start_user(folder)
    os.killpg(user.pid, signal.SIGINT)
    assert user.wait() == 0
    assert "interrupted" in user.output
    assert read_postmaster(folder / "data") is None
    assert "fast shutdown" in (folder / "server.log").read_text()


def test_a_first_start_that_was_cut_off_is_repeated(empty_folder):
    """Half-made files of a killed first start do not count as a database."""
    half_made = empty_folder / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(empty_folder) as database:
        assert ask(database, "SELECT 1") == 1
