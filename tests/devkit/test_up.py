"""`refresher up` as a newcomer meets it: starts, serves, stops, and goes on after kill -9."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from refresher.devkit import up
from refresher.devkit.foundation import KEY_FILE
from refresher.runtime.serving.sockets import listen
from refresher.settings import PREFIX, load
from tests import loopback
from tests.ports import free_port
from tests.processes import OURS
from tests.services import plain
from tests.waiting import wait_until

CONNECTION = {
    "organization_id": "org",
    "provider": "acme",
    "external_id": "page-1",
    "access_token": "at",
    "refresh_token": "rt",
    "expires_in": 3600,
}
ACME = """
[providers.acme]
token_url = "http://127.0.0.1:9/token"
[apps.acme]
client_id = "id"
client_secret = "secret"
"""


def refresher(environment, *arguments, given=""):
    """Runs another command the way its user does: with the environment file loaded."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    return subprocess.run(
        [sys.executable, "-m", "refresher", *arguments],
        env=inherited | environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )


def names(environment):
    """The external ids of what is stored."""
    listed = refresher(environment, "connections", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return [json.loads(line)["external_id"] for line in listed.stdout.splitlines()]


def lives(pid):
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_up_serves_health_and_stops_cleanly(start_up):
    """Without any setting it runs on a database of its own, answers health, and SIGTERM ends it."""
    # When
    up = start_up()
    # Then
    told = up.told[-1]
    assert (told["database"], told["transport"]) == ("embedded", "in_process")
    assert loopback.get(told["health"]).json() == {"ok": True, "faults": []}
    status = loopback.get(f"{told['health']}/status").json()
    assert status["database"]["ok"]
    assert status["role"] == "scheduler"
    # When
    up.process.terminate()
    # Then
    assert up.process.wait() == 0
    assert not (up.directory / "postgres" / "data" / "postmaster.pid").exists()
    assert "Traceback" not in up.process.output


def test_up_is_for_this_machine_and_says_where(start_up):
    """API and documentation on loopback alone; the banner's address leads there."""
    up = start_up(REFRESHER_HOST="", REFRESHER_ALLOW_INSECURE_HOSTS="")
    told = up.told[-1]
    assert up.environment["REFRESHER_HOST"] == "localhost"
    assert up.environment["REFRESHER_ALLOW_INSECURE_HOSTS"] == "loopback"
    assert up.environment["REFRESHER_PUBLIC_URL"] == told["api"]
    assert loopback.get(told["dashboard"]).headers["location"] == "/ui/sign-in"
    root = loopback.get(f"{told['api']}/")
    assert (root.status_code, root.headers["location"]) == (307, "/docs")
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{int(told['api'].rpartition(':')[2]):04X}"
    assert {row[1] for row in rows if row[1].endswith(port) and row[3] == "0A"} == {
        f"0100007F{port}"
    }


def test_a_port_that_is_set_and_taken_ends_up(start_up):
    """One sentence; without the setting the next free port is taken, and told."""
    theirs = listen("localhost", port := free_port())
    with pytest.raises(AssertionError, match=f"PORT is {port}, where another process listens"):
        start_up(PORT=str(port))
    for one in theirs:
        one.close()


def test_the_usual_port_may_be_another_s():
    """Of the ports from the usual one on, `up` takes the first that is free."""
    theirs = listen("localhost", port := free_port())
    # Settings in which nobody set the port: a copy would remember that somebody did.
    settings = load(host="localhost")
    object.__setattr__(settings, "port", port)
    taken, sockets = up._listen(settings)
    assert taken > port
    for one in (*theirs, *sockets):
        one.close()


@pytest.mark.slow
def test_a_kill_loses_nothing_and_the_next_start_goes_on(start_up):
    """What was imported before kill -9 is there after the next start, readable with the same key."""
    # Given
    up = start_up()
    (up.directory / "providers.toml").write_text(ACME)
    wait_until(lambda: len(up.told) == 2, reason=lambda: up.process.output)
    imported = refresher(up.environment, "connections", "import", "-", given=json.dumps(CONNECTION))
    assert imported.returncode == 0, imported.stderr
    # When
    up.process.kill()
    again = start_up()
    # Then
    assert names(again.environment) == ["page-1"]
    token = refresher(again.environment, "token", "page-1")
    assert token.stdout.strip() == "at", token.stderr


@pytest.mark.slow
def test_the_providers_file_is_read_again_when_it_changes(start_up):
    """A good change starts the process anew with it; a typo is told, and the old file goes on."""
    # Given
    up = start_up()
    file = up.directory / "providers.toml"
    # When
    file.write_text("[providers.acme]\ntoken_ulr = 'x'\n")
    # Then
    up.process.wait_for("token_url")
    assert len(up.told) == 1
    # When
    file.write_text(ACME)
    # Then
    wait_until(lambda: len(up.told) == 2, reason=lambda: up.process.output)
    assert up.told[0]["pid"] == up.told[1]["pid"]
    assert "acme/default" in refresher(up.environment, "apps", "list").stdout


@pytest.mark.slow
def test_with_its_own_environment_loaded_it_starts_again(start_up):
    """In a shell that has loaded the environment file, `up` still knows its own database."""
    # Given
    up = start_up()
    environment = up.environment
    up.process.terminate()
    up.process.wait()
    # When
    again = start_up(**environment)
    # Then
    assert again.told[-1]["database"] == "embedded"
    assert again.environment["REFRESHER_PUBLIC_URL"] == again.told[-1]["api"]
    assert again.told[-1]["api"] != up.told[-1]["api"]


@pytest.mark.slow
def test_a_dead_database_is_started_again(start_up):
    """When the embedded server dies under it, it is started again, and other commands go on."""
    # Given
    up = start_up()
    file = up.directory / "postgres" / "data" / "postmaster.pid"
    before = int(file.read_text().split()[0])
    # When
    os.kill(before, 9)
    # Then
    up.process.wait_for("the embedded database died")

    def is_back():
        return file.exists() and int((file.read_text() or "0").split()[0]) not in {
            before,
            up.process.pid,
        }

    wait_until(is_back, reason=lambda: up.process.output)
    wait_until(lambda: not names_or_error(up.environment), reason=lambda: up.process.output)


def names_or_error(environment):
    """The fault of listing connections, empty when there is none."""
    return refresher(environment, "connections", "list").returncode


@pytest.mark.slow
def test_given_services_are_used(start_up, bare_database_url, redis_url):
    """With DATABASE_URL and REDIS_URL it migrates that database and starts a worker process."""
    # When
    key = refresher({}, "encryption", "new-key").stdout.strip()
    services = {"DATABASE_URL": plain(bare_database_url), "REDIS_URL": redis_url}
    up = start_up(**services, REFRESHER_ENCRYPTION_KEYS=key)
    # Then
    told = up.told[-1]
    assert (told["database"], told["transport"]) == ("DATABASE_URL", "redis")
    assert not (up.directory / KEY_FILE).exists()
    assert "DATABASE_URL" not in up.environment

    def roles():
        with psycopg.connect(services["DATABASE_URL"]) as db:
            return {
                row[0] for row in db.execute("select role from worker where stopped_at is null")
            }

    wait_until(lambda: roles() == {"scheduler", "worker"}, reason=lambda: up.process.output)
    # When
    up.process.kill()
    # Then
    wait_until(lambda: not lives(told["worker_pid"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://localhost/x"}, "refresher encryption new-key"),
        ({"REFRESHER_PROVIDERS_FILE": "nowhere.toml"}, "nowhere.toml does not exist"),
        ({"REFRESHER_TICK_SECONDS": "-1"}, f"{PREFIX}TICK_SECONDS"),
    ],
)
def test_a_mistake_is_one_sentence(directory, env, sentence):
    """What cannot work ends with exit code 2 and a sentence that names it."""
    # When
    tried = refresher({"REFRESHER_DATA_DIRECTORY": str(directory), **env}, "up")
    # Then
    assert tried.returncode == 2
    assert sentence in tried.stderr
    assert "Traceback" not in tried.stderr
    assert len(tried.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_lost_key_is_not_replaced(directory):
    """A database whose key is gone is not started with a new key, which could open nothing in it."""
    # Given
    (directory / "postgres" / "data").mkdir(parents=True)
    # When
    tried = refresher({"REFRESHER_DATA_DIRECTORY": str(directory)}, "up")
    # Then
    assert tried.returncode == 2
    assert f"{KEY_FILE} is gone" in tried.stderr
    assert not Path(directory, KEY_FILE).exists()
    (directory / "postgres" / "data").rmdir()
