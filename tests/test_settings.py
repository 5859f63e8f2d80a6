"""Settings: where each value comes from, and the sentence for each that is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from refresher.errors import SettingsError
from refresher.rules.policy import Policy
from refresher.settings import Settings, load, sqlalchemy_url, variable


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clears what the machine has set."""
    for name in list(os.environ):
        if name.upper().startswith("REFRESHER_") or name in {"DATABASE_URL", "REDIS_URL", "PORT"}:
            monkeypatch.delenv(name)


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Sets these variables for the one test."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_everything_has_a_default() -> None:
    """An empty environment is valid; what needs a URL says so when it is asked for."""
    settings = load()
    assert settings.port == 8080
    assert settings.integration_refresh.transport == "redis"
    assert settings.integration_refresh.queue == "integration_refresh"
    assert settings.integration_refresh.enabled
    assert settings.attempt_timeout_seconds == 600.0


def test_the_defaults_are_the_policy_s() -> None:
    """M8, M12: the knobs of the rules have the same names and defaults as their settings."""
    names = Policy.__dataclass_fields__
    assert Policy(**{name: getattr(load(), name) for name in names}) == Policy()


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("REFRESHER_LEAD_SHARE", "0.3", "lead_share", 0.3),
        ("REFRESHER_ATTEMPTS", "5", "attempts", 5),
        ("REFRESHER_EXPIRED_TOKENS", "stop", "expired_tokens", "stop"),
        ("REFRESHER_LIVENESS_LOCK", "false", "liveness_lock", False),
        ("REFRESHER_PROVIDERS_FILE", "mine.toml", "providers_file", Path("mine.toml")),
        ("REFRESHER_REDIS_DB", "7", "redis_db", 7),
        ("PORT", "9000", "port", 9000),
        ("REFRESHER_PORT", "9000", "port", 9000),
        ("REFRESHER_PORT", "", "port", 8080),
        ("DATABASE_URL", "", "database_url", None),
        ("REFRESHER_ENCRYPTION_KEYS", "", "encryption_keys", ()),
    ],
)
def test_a_variable_sets_its_field(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, field: str, value: object
) -> None:
    """Each setting is read from its variable; an empty variable is as if unset."""
    environment(monkeypatch, **{name: text})
    assert getattr(load(), field) == value


@pytest.mark.parametrize(
    ("part", "text", "value"),
    [
        ("transport", "in_process", "in_process"),
        ("queue", "refresh.eu-1", "refresh.eu-1"),
        ("enabled", "false", False),
    ],
)
def test_each_part_of_a_flow_has_a_variable(
    monkeypatch: pytest.MonkeyPatch, part: str, text: str, value: object
) -> None:
    """A flow's transport, queue and switch are set one by one; the others keep their defaults."""
    environment(monkeypatch, **{f"REFRESHER_INTEGRATION_REFRESH__{part.upper()}": text})
    flow = load().integration_refresh
    expected = {"transport": "redis", "queue": "integration_refresh", "enabled": True, part: value}
    assert flow.model_dump() == expected


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "PORT"])
def test_our_own_name_wins_over_the_platform_s(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A platform sets DATABASE_URL for everyone; REFRESHER_DATABASE_URL is for us alone."""
    environment(monkeypatch, **{name: "1", f"REFRESHER_{name}": "2"})
    value = getattr(load(), name.lower())
    assert (value if name == "PORT" else value.get_secret_value()) in {2, "2"}


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`refresher up` passes the URL of its own database, by the field's name."""
    environment(monkeypatch, DATABASE_URL="postgresql://theirs/db", REFRESHER_LEAD_SHARE="0.3")
    settings = load(database_url="postgresql://ours/db", port=0)
    assert settings.database == "postgresql+psycopg://ours/db"
    assert (settings.port, settings.lead_share) == (0, 0.3)


def test_settings_do_not_change() -> None:
    """One process has one set of settings from start to end."""
    settings = load()
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        settings.integration_refresh.enabled = False  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "keys"), [("k1", ["k1"]), ("k1,k2", ["k1", "k2"]), (" k1 ,\nk2,, ", ["k1", "k2"])]
)
def test_keys_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, keys: list[str]
) -> None:
    """M10: the first key seals, those behind it still open; spaces and blanks do not matter."""
    environment(monkeypatch, REFRESHER_ENCRYPTION_KEYS=text)
    assert [key.get_secret_value() for key in load().encryption_keys] == keys


def test_keys_may_be_given_as_a_sequence() -> None:
    """Code that has a list of keys need not join them."""
    assert len(load(encryption_keys=("k1", "k2")).encryption_keys) == 2


def test_settings_show_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """M10: neither `repr` nor a dump shows a password or a key."""
    environment(
        monkeypatch,
        DATABASE_URL="postgresql://u:s3cr3t@h/d",
        REDIS_URL="redis://:s3cr3t@h",
        REFRESHER_ENCRYPTION_KEYS="s3cr3t",
    )
    settings = load()
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "s3cr3t" not in shown


# --- URLs


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_spelling_of_postgres_is_taken(scheme: str) -> None:
    """Platforms give postgres://, libraries postgresql://; both are the same database."""
    assert sqlalchemy_url(f"{scheme}://u:p@h:5/d?x=1") == "postgresql+psycopg://u:p@h:5/d?x=1"


@pytest.mark.parametrize("url", ["mysql://u:s3cr3t@h/d", "s3cr3t", "postgresql+asyncpg://h/d"])
def test_another_database_is_refused(url: str) -> None:
    """The sentence says what is taken, and does not repeat the URL, which holds a password."""
    with pytest.raises(SettingsError) as caught:
        _ = load(database_url=url).database
    assert "DATABASE_URL must begin with postgresql://" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "url"),
    [
        (None, "redis://:p@h:6379/3?timeout=1"),
        (0, "redis://:p@h:6379/0?timeout=1"),
        (7, "redis://:p@h:6379/7?timeout=1"),
    ],
)
def test_the_number_of_the_redis_database_has_a_setting(number: int | None, url: str) -> None:
    """REFRESHER_REDIS_DB replaces the number in the URL, and nothing else of it."""
    assert load(redis_url="redis://:p@h:6379/3?timeout=1", redis_db=number).redis == url


@pytest.mark.parametrize("url", ["localhost:6379", "http://:s3cr3t@h", "s3cr3t"])
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    """The sentence says how a Redis URL begins, and does not repeat this one."""
    with pytest.raises(SettingsError) as caught:
        _ = load(redis_url=url, redis_db=1).redis
    assert str(caught.value) == "REDIS_URL must begin with redis:// or rediss:// (with TLS)"


@pytest.mark.parametrize(
    ("asked", "named"), [("database", "DATABASE_URL is not set"), ("redis", "REDIS_URL is not set")]
)
def test_a_missing_url_is_named_when_it_is_needed(asked: str, named: str) -> None:
    """What runs without Redis does not ask for its URL; what needs it says so."""
    with pytest.raises(SettingsError, match=named):
        getattr(load(), asked)


# --- Mistakes


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("REFRESHER_ATTEMPTS", "three", "should be a valid integer"),
        ("REFRESHER_ATTEMPTS", "0", "should be greater than or equal to 1"),
        ("REFRESHER_LEAD_SHARE", "1", "should be less than 1"),
        ("REFRESHER_LEAD_SHARE", "0", "should be greater than 0"),
        ("REFRESHER_LEAD_SHARE", "nan", "should be "),
        ("REFRESHER_TICK_SECONDS", "inf", "should be "),
        ("REFRESHER_TICK_SECONDS", "-1", "should be greater than 0"),
        ("REFRESHER_LOG_LEVEL", "loud", "should be 'debug', 'info', 'warning' or 'error'"),
        ("REFRESHER_EXPIRED_TOKENS", "maybe", "should be 'refresh' or 'stop'"),
        ("REFRESHER_LIVENESS_LOCK", "perhaps", "should be a valid boolean"),
        ("REFRESHER_PORT", "70000", "should be less than or equal to 65535"),
        ("PORT", "http", "should be a valid integer"),
        ("REFRESHER_INTEGRATION_REFRESH__TRANSPORT", "kafka", "should be 'in_process' or 'redis'"),
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
    ("field", "name"),
    [
        ("database_url", "DATABASE_URL"),
        ("redis_url", "REDIS_URL"),
        ("port", "PORT"),
        ("lead_share", "REFRESHER_LEAD_SHARE"),
        ("integration_refresh.queue", "REFRESHER_INTEGRATION_REFRESH__QUEUE"),
    ],
)
def test_a_field_knows_its_variable(field: str, name: str) -> None:
    """Every message and the list of settings use the same names."""
    assert variable(field) == name
