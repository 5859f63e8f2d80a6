"""Settings that are wrong: each has its sentence, which names the variable."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.errors import SettingsError
from refresher.settings import Settings, load
from tests.settings.conftest import environment


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("REFRESHER_ATTEMPTS", "three", "should be a valid integer"),
        ("REFRESHER_LEAD_SHARE", "20%", "should be a valid number"),
        ("REFRESHER_LEAD_SHARE", "20 %", "give 0.2 for 20 %"),
        ("REFRESHER_LEAD_SHARE", "0,2", "give 0.2, with a point"),
        ("REFRESHER_LEASE_SECONDS", "2min", "give 120, in seconds"),
        ("REFRESHER_LEASE_SECONDS", "1.5 h", "give 5400, in seconds"),
        ("REFRESHER_EVENT_RETENTION_DAYS", "90d", "should be a valid integer"),
        ("REFRESHER_ATTEMPTS", "0", "should be greater than or equal to 1"),
        ("REFRESHER_LEAD_SHARE", "1", "should be less than 1"),
        ("REFRESHER_LEAD_SHARE", "0", "should be greater than 0"),
        ("REFRESHER_LEAD_SHARE", "nan", "should be "),
        ("REFRESHER_TICK_SECONDS", "inf", "should be "),
        ("REFRESHER_TICK_SECONDS", "-1", "should be greater than 0"),
        ("REFRESHER_LOG_LEVEL", "loud", "should be 'debug', 'info', 'warning' or 'error'"),
        ("REFRESHER_EXPIRED_TOKENS", "maybe", "should be 'refresh' or 'stop'"),
        ("REFRESHER_LIVENESS_LOCK", "perhaps", "should be a valid boolean"),
        ("REFRESHER_ALLOWED_PRIVATE_NETWORKS", "10.0.0.5/8", '"10.0.0.5/8" is no network'),
        ("REFRESHER_ALLOWED_PRIVATE_NETWORKS", "fd00::/8,lan", '"lan" is no network'),
        ("REFRESHER_ALLOWED_PRIVATE_NETWORKS", "0.0.0.0/0", "is every address there is"),
        ("REFRESHER_PUBLIC_URL", "refresher.example", "should match pattern"),
        ("REFRESHER_PORT", "70000", "should be less than or equal to 65535"),
        ("PORT", "http", "should be a valid integer"),
        (
            "REFRESHER_INTEGRATION_REFRESH__TRANSPORT",
            "kafka",
            "should be 'in_process', 'redis' or 'rabbitmq'",
        ),
        ("REFRESHER_INTEGRATION_REFRESH__QUEUE", "two words", "should match pattern"),
        ("REFRESHER_INTEGRATION_REFRESH__ENABLED", "perhaps", "should be a valid boolean"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    """A user mistake is one sentence that names the variable which was set."""
    environment(monkeypatch, **{name: text})
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"{name} is wrong: ")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_argument_is_named_by_its_variable() -> None:
    """A value that came from a command line is named as the setting that it stands for."""
    with pytest.raises(SettingsError, match=r"^PORT is wrong: "):
        load(port=-1)
    with pytest.raises(SettingsError, match=r"^REFRESHER_ATTEMPTS is wrong: "):
        load(attempts=0)


def test_a_wrong_key_is_not_repeated() -> None:
    """M10: even a value of the wrong type is not shown."""
    with pytest.raises(SettingsError) as caught:
        load(encryption_keys=[["s3cr3t"]])
    assert "REFRESHER_ENCRYPTION_KEYS" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_flow_that_is_no_object_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Setting a whole flow to a word says how its parts are set."""
    environment(monkeypatch, REFRESHER_INTEGRATION_REFRESH="in_process")
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value) == (
        "REFRESHER_INTEGRATION_REFRESH must be a JSON object; set its parts one by one, such as "
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT"
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "REFRESHER_LEED_SHARE",
            (
                'REFRESHER_LEED_SHARE is no setting (did you mean "REFRESHER_LEAD_SHARE"?); '
                "`refresher settings` lists all"
            ),
        ),
        ("REFRESHER_XYZ", "REFRESHER_XYZ is no setting; `refresher settings` lists all"),
        (
            "REFRESHER_INTEGRATION_REFRESH__TRANSPROT",
            (
                "REFRESHER_INTEGRATION_REFRESH__TRANSPROT is no setting (did you mean "
                '"REFRESHER_INTEGRATION_REFRESH__TRANSPORT"?); `refresher settings` lists all'
            ),
        ),
    ],
)
def test_a_typo_does_not_pass_in_silence(
    monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    """A variable that looks like ours and is not is refused, with the closest name."""
    environment(monkeypatch, **{name: "1"})
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value) == sentence


def test_the_tests_own_variables_are_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """REFRESHER_TEST_ is for the test suite, and no setting."""
    environment(monkeypatch, REFRESHER_TEST_POSTGRES="x")
    assert load().port == 8080


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        (
            {"dashboard_idle_seconds": 7_200, "dashboard_session_seconds": 3_600},
            (
                "REFRESHER_DASHBOARD_IDLE_SECONDS (7200) must not be more than "
                "REFRESHER_DASHBOARD_SESSION_SECONDS (3600)"
            ),
        ),
        (
            {"dashboard_user_header": "X-User"},
            (
                "REFRESHER_DASHBOARD_USER_HEADER is set without REFRESHER_DASHBOARD_PROXIES and "
                "REFRESHER_DASHBOARD_PROXY_KEY_ID: set all three, or none"
            ),
        ),
        (
            {"dashboard_proxies": "10.0.0.5", "dashboard_proxy_key_id": "abcdefghijkl"},
            (
                "REFRESHER_DASHBOARD_PROXIES is set without REFRESHER_DASHBOARD_USER_HEADER: set "
                "all three, or none"
            ),
        ),
        (
            {"http_connect_seconds": 20},
            (
                "REFRESHER_HTTP_CONNECT_SECONDS (20) must be less than "
                "REFRESHER_HTTP_TOTAL_SECONDS (20)"
            ),
        ),
        (
            {"http_total_seconds": 25, "attempt_timeout_seconds": 25},
            (
                "REFRESHER_HTTP_TOTAL_SECONDS (25) must be less than "
                "REFRESHER_ATTEMPT_TIMEOUT_SECONDS (25)"
            ),
        ),
        (
            {"tick_seconds": 60},
            "REFRESHER_TICK_SECONDS (60) must be less than REFRESHER_LEASE_SECONDS (60)",
        ),
        (
            {"sweep_interval_seconds": 61.5},
            (
                "REFRESHER_SWEEP_INTERVAL_SECONDS (61.5) must be less than "
                "REFRESHER_LEASE_SECONDS (60)"
            ),
        ),
        (
            {"lease_seconds": 601},
            (
                "REFRESHER_LEASE_SECONDS (601) must not be more than "
                "REFRESHER_ATTEMPT_TIMEOUT_SECONDS (600)"
            ),
        ),
        (
            {"batch_size": 300, "max_leased": 299},
            "REFRESHER_BATCH_SIZE (300) must not be more than REFRESHER_MAX_LEASED (299)",
        ),
        (
            {"queue_wait_seconds": 31},
            (
                "REFRESHER_LEASE_SECONDS (60) must cover REFRESHER_QUEUE_WAIT_SECONDS (31) + "
                "REFRESHER_HTTP_TOTAL_SECONDS (20) + REFRESHER_COMMIT_SECONDS (10) = 61, or a slow "
                "refresh outlives its lease"
            ),
        ),
        (
            {"webhook_total_seconds": 35},
            (
                "REFRESHER_WEBHOOK_LEASE_SECONDS (60) must cover REFRESHER_QUEUE_WAIT_SECONDS (20) + "
                "REFRESHER_WEBHOOK_TOTAL_SECONDS (35) + REFRESHER_COMMIT_SECONDS (10) = 65, or a "
                "slow webhook outlives its lease and is sent twice"
            ),
        ),
        (
            {"webhook_retry_max_seconds": 86_400},
            (
                "REFRESHER_WEBHOOK_RETRY_MAX_SECONDS (86400) must be less than "
                "REFRESHER_WEBHOOK_GIVE_UP_AFTER_SECONDS (86400)"
            ),
        ),
        (
            {"shutdown_seconds": 29},
            (
                "REFRESHER_SHUTDOWN_SECONDS (29) must cover REFRESHER_HTTP_TOTAL_SECONDS (20) + "
                "REFRESHER_COMMIT_SECONDS (10) = 30, or a clean stop cuts a refresh off"
            ),
        ),
    ],
)
def test_settings_that_contradict_each_other_are_both_named(
    knobs: dict[str, Any], sentence: str
) -> None:
    """A relation that does not hold is one sentence with both names and both values."""
    with pytest.raises(SettingsError) as caught:
        load(**knobs)
    assert sentence in str(caught.value).split("; ")


@pytest.mark.parametrize(
    "knobs",
    [
        {"lease_seconds": 600},
        {"batch_size": 300, "max_leased": 300},
        {"queue_wait_seconds": 30},
        {"shutdown_seconds": 30},
        {"tick_seconds": 59.9},
    ],
)
def test_a_relation_holds_up_to_its_edge(knobs: dict[str, Any]) -> None:
    """What just fits is accepted."""
    assert isinstance(load(**knobs), Settings)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to start the program once for each mistake."""
    environment(monkeypatch, REFRESHER_ATTEMPTS="0", PORT="http")
    with pytest.raises(SettingsError) as caught:
        load()
    assert len(str(caught.value).split("; ")) == 2


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("CONNECT_RETURN_URLS", "https://a.example/x, https://a.example", "must name a page"),
        ("CONNECT_RETURN_URLS", "http://a.example/", "must begin with https://"),
        ("CONNECT_TEMPLATES", "/nowhere", "is no folder"),
        ("CONNECT_SESSION_SECONDS", "4000", "3600"),
    ],
)
def test_what_is_wrong_with_connect(
    monkeypatch: pytest.MonkeyPatch, name: str, given: str, said: str
) -> None:
    """A page that nobody could be sent back to, templates that are not there, a link that lasts."""
    monkeypatch.setenv(f"REFRESHER_{name}", given)
    with pytest.raises(SettingsError, match=f"REFRESHER_{name}.*{said}"):
        load()
