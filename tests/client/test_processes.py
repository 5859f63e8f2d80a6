"""Single flight across processes: the row's own lease is the only lock there is."""

from pathlib import Path

from refresher.client import Refresher
from tests.client.conftest import Place
from tests.processes import Spawner


def test_threads_of_two_processes_cause_one_exchange(place: Place, spawn: Spawner, tmp_path: Path):
    """200 calls by 40 threads of two processes find the token expired: the provider is asked once."""
    # Given an expired token, and a provider that takes its time
    with Refresher(**place.direct) as refresher:
        made = refresher.register(**place.fields(expires_in=0))
    place.provider.admin.change_options(latency_seconds=0.3)
    before = place.requests()
    environment = {
        "DATABASE_URL": place.direct["database_url"],
        "REFRESHER_ENCRYPTION_KEYS": place.direct["encryption_keys"],
        "REFRESHER_PROVIDERS_FILE": place.direct["providers_file"],
    }
    # When two processes begin to ask at the same moment
    ask = ("-m", "tests.client.asking", str(made.id), "20", "100", str(tmp_path))
    processes = [spawn(*ask, env=environment) for _ in range(2)]
    for process in processes:
        process.wait_for("ready")
    (tmp_path / "begin").touch()
    # Then all are served the one new token
    assert [process.wait(50) for process in processes] == [0, 0], spawn.outputs()
    place.provider.admin.change_options(latency_seconds=0)
    served = {process.output.splitlines()[-1] for process in processes}
    assert len(served) == 1
    assert len(served.pop().split()) == 2
    assert place.requests() - before == 1
