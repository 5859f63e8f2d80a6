"""Each example does what its first line says: with fresh tokens, and where no token is to be had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest
from celery import Celery

from refresher.devkit.browser import Browser
from tests.examples.conftest import House
from tests.ports import LOOPBACK, free_port
from tests.processes import Process
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
FOLDER = Path(__file__).resolve().parents[2] / "examples"
LINE_LIMIT = 95


def page(process: Process, url: str, **asked: object) -> httpx.Response:
    """Returns what a page answers, as soon as its server listens."""
    found: list[httpx.Response] = []

    def answers() -> bool:
        assert process.is_running(), process.output
        try:
            found.append(httpx.get(url, timeout=60, **asked))  # type: ignore[arg-type]
        except httpx.ConnectError:
            return False
        return True

    wait_until(answers, 60, lambda: process.output)
    return found[0]


def reject(house: House, token: str) -> None:
    """Has the provider's API take this access token no longer, whatever its life."""
    form = {"token": token, "client_id": "fake-client", "client_secret": "fake-secret"}
    httpx.post(f"{house.provider.url}/revoke", data=form).raise_for_status()


@contextmanager
def signed_in(base: str, user: str) -> Iterator[httpx.Client]:
    """Yields a browser in which this user is signed in."""
    with httpx.Client(base_url=base, timeout=60) as browser:
        browser.get(f"/sign-in/{user}").raise_for_status()
        yield browser


def test_a_web_application_has_fresh_tokens(house: House) -> None:
    """Starlette: a profile is fetched with a living token; a dead grant is told."""
    # Given an account whose token ends, and one that has withdrawn its consent beside that
    ended, grant = house.connect(expires_spread_seconds=[0.5, 0.5])
    # It ends before any program has started: what still lives is served, whatever its grant.
    gone, _ = house.connect(expires_spread_seconds=[0.01, 0.01], is_withdrawn=True)
    base = f"http://{LOOPBACK}:{(port := free_port())}/profiles"
    words = ("--app-dir", "examples", "--port", str(port), "starlette_app:app")
    running = house.run("-m", "uvicorn", *words)
    # When
    answer = page(running, f"{base}/{ended.id}")
    # Then
    assert (answer.status_code, answer.json()) == (200, {"sub": grant.external_id}), running.output
    refused = page(running, f"{base}/{gone.id}")
    assert (refused.status_code, "reconnect_required" in refused.text) == (409, True)


def test_a_rejected_token_is_replaced_by_itself(house: House) -> None:
    """Starlette: a token that the provider rejects before its end is refreshed; nobody sees a 401."""
    # Given
    made, grant = house.connect()
    reject(house, grant.access_token)
    port = free_port()
    words = ("--app-dir", "examples", "--port", str(port), "starlette_app:app")
    # When
    answer = page(
        house.run("-m", "uvicorn", *words), f"http://{LOOPBACK}:{port}/profiles/{made.id}"
    )
    # Then
    assert (answer.status_code, answer.json()) == (200, {"sub": grant.external_id})


def test_fastapi_connects_an_account(house: House) -> None:
    """The user consents, and has their token as a dependency; who is signed out is told."""
    # Given
    base = f"http://{LOOPBACK}:{(port := house.ports.pop())}"
    words = ("--app-dir", "examples", "--port", str(port), "fastapi_app:app")
    running = house.run("-m", "uvicorn", *words)
    assert page(running, f"{base}/connected?connect_status=confirm").status_code == 409
    assert page(running, f"{base}/profile").status_code == 401
    with Browser() as ann:
        ann.open(f"{base}/sign-in/ann")
        # When
        back = ann.open(f"{base}/connect/acme")
    # Then
    assert back.status == 200, (back.words, running.output)
    assert orjson.loads(back.text)["connection_id"]
    with signed_in(base, "ann") as browser:
        assert browser.get("/profile").json()["profile"] == {"sub": "ann"}, running.output
    _, grant = house.connect(expires_spread_seconds=[0.01, 0.01], is_withdrawn=True)
    with signed_in(base, grant.external_id) as browser:
        refused = browser.get("/profile")
    assert (refused.status_code, "reconnect_required" in refused.text) == (409, True)


def test_flask_connects_who_began_it(house: House) -> None:
    """Who comes back in the browser that began is connected; in another browser nobody is."""
    # Given
    base = f"http://{LOOPBACK}:{(port := house.ports.pop())}"
    running = house.run(
        *("-m", "flask", "--app", "examples/flask_app.py", "run", "--port", str(port))
    )
    page(running, f"{base}/connected")
    with Browser() as ann, Browser() as ben:
        for each in (ann, ben):
            each.open(f"{base}/sign-in/flask")
        # When the link of Ann's is stolen after her consent
        stopped = ann.open(f"{base}/connect/acme", until=f"{base}/connected")
        assert stopped.next_url is not None, (stopped.words, running.output)
        assert ben.open(stopped.next_url).status == 409
        # Then it is still hers
        told = orjson.loads(ann.go_on().text)
        assert told["connected"], running.output
        assert page(running, f"{base}/connected").status_code == 409


def test_django_shows_who_must_connect_again(house: House) -> None:
    """A banner comes with the webhook of a dead grant, and goes with the reconnect that it leads to."""
    # Given
    base = f"http://{LOOPBACK}:{(port := house.ports.pop())}"
    event = ("--organization", "org-1", "--event", "connection.*")
    made = house.command("webhooks", "add", f"{base}/hooks", *event)
    words = ("examples/django_app.py", "runserver", "--noreload", str(port))
    running = house.run(*words, WEBHOOK_SECRET=made["secret"])
    gone, grant = house.connect()
    assert page(running, f"{base}/banner/{grant.external_id}").text == ""
    assert httpx.post(f"{base}/hooks", json={"type": "connection.recovered"}).status_code == 400
    # When
    house.provider.admin.revoke(grant.external_id)
    house.spawn("-m", "refresher", "connections", "refresh", str(gone.id), env=house.beside)
    # Then
    wait_until(
        lambda: "connect again" in page(running, f"{base}/banner/{grant.external_id}").text,
        60,
        lambda: running.output,
    )
    # When its user follows that
    with Browser() as owner:
        owner.open(f"{house.provider.url}/login?account={grant.external_id}")
        owner.open(f"{base}/sign-in/{grant.external_id}")
        back = owner.open(f"{base}/connect/acme")
    # Then
    assert back.text == "Thank you.", (back.words, running.output)
    wait_until(lambda: not page(running, f"{base}/banner/{grant.external_id}").text, 60)


def test_cron_goes_through_all_accounts(house: House) -> None:
    """The script fetches each account, tells whose trouble needs a person, and exits with 1 then."""
    # Given
    (good, one), (gone, two) = house.connect(), house.connect()
    house.provider.admin.revoke(two.external_id)
    # When
    ran = subprocess.run(
        [sys.executable, FOLDER / "cron_sync.py"],
        input=f"{gone.id}\n{good.id}\n",
        env=house.beside | {"PROFILE_URL": house.environment["PROFILE_URL"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    # Then
    assert ran.returncode == 1, ran.stderr
    assert f"{good.id}: {{'sub': '{one.external_id}'}}" in ran.stdout.splitlines()
    assert f"{gone.id}: " in ran.stderr


def test_celery_fetches_in_a_task(house: House, redis_url: str) -> None:
    """A task returns the profile; one for a dead grant ends with the reason and is not tried again."""
    # Given
    (good, one), (gone, two) = house.connect(), house.connect()
    house.provider.admin.revoke(two.external_id)
    worker = house.run(
        *("-m", "celery", "--workdir", "examples", "--app", "celery_tasks", "worker"),
        *("--concurrency", "1", "--loglevel", "info"),
        CELERY_REDIS_URL=redis_url,
    )
    with Celery("examples", broker=redis_url, backend=redis_url) as app:
        # When
        asked = [
            app.send_task("celery_tasks.fetch_profile", [str(each.id)]) for each in (good, gone)
        ]
        # Then
        wait_until(lambda: all(each.ready() for each in asked), 90, lambda: worker.output)
        assert asked[0].get() == {"sub": one.external_id}
        assert asked[1].get() == {"must_reconnect": "reconnect_required"}


def test_the_examples_are_small_and_all_in_the_readme() -> None:
    """Each is read in a minute, begins with what it shows, and has its row in the table."""
    readme = (FOLDER / "README.md").read_text()
    files = sorted(FOLDER.glob("*.py"))
    assert len(files) >= 6
    assert [file.name for file in files if f"]({file.name})" not in readme] == []
    sizes = {file.name: len(file.read_text().splitlines()) for file in files}
    assert {name: size for name, size in sizes.items() if size > LINE_LIMIT} == {}
