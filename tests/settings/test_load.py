"""Settings: where each value comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from refresher.errors import SettingsError
from refresher.rules.policy import Policy
from refresher.settings import load, sqlalchemy_url, variable
from tests.settings.conftest import environment


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


@pytest.mark.parametrize(
    ("name", "scheme"), [("DATABASE_URL", "postgresql://"), ("REDIS_URL", "redis://"), ("PORT", "")]
)
def test_our_own_name_wins_over_the_platform_s(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    """A platform sets DATABASE_URL for everyone; REFRESHER_DATABASE_URL is for us alone."""
    environment(monkeypatch, **{name: f"{scheme}1", f"REFRESHER_{name}": f"{scheme}2"})
    value = getattr(load(), name.lower())
    assert (value if name == "PORT" else value.get_secret_value()) in {2, f"{scheme}2"}


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
    rest = "u:p@h:5/d?sslmode=require"
    assert sqlalchemy_url(f"{scheme}://{rest}") == f"postgresql+psycopg://{rest}"


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
        (None, "redis://:p@h:6379/3?socket_timeout=1"),
        (0, "redis://:p@h:6379/0?socket_timeout=1"),
        (7, "redis://:p@h:6379/7?socket_timeout=1"),
    ],
)
def test_the_number_of_the_redis_database_has_a_setting(number: int | None, url: str) -> None:
    """REFRESHER_REDIS_DB replaces the number in the URL, and nothing else of it."""
    assert load(redis_url="redis://:p@h:6379/3?socket_timeout=1", redis_db=number).redis == url


@pytest.mark.parametrize("url", ["localhost:6379", "http://:s3cr3t@h", "s3cr3t"])
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    """The sentence says how a Redis URL begins, and does not repeat this one."""
    with pytest.raises(SettingsError) as caught:
        _ = load(redis_url=url, redis_db=1).redis
    assert str(caught.value) == "REDIS_URL must begin with redis:// or rediss:// (with TLS)"


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ("database", "DATABASE_URL is not set"),
        ("redis", "REDIS_URL is not set"),
        ("rabbitmq", "RABBITMQ_URL is not set"),
    ],
)
def test_a_missing_url_is_named_when_it_is_needed(asked: str, named: str) -> None:
    """What runs without Redis does not ask for its URL; what needs it says so."""
    with pytest.raises(SettingsError, match=named):
        getattr(load(), asked)


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("database_url", "DATABASE_URL"),
        ("redis_url", "REDIS_URL"),
        ("rabbitmq_url", "RABBITMQ_URL"),
        ("port", "PORT"),
        ("lead_share", "REFRESHER_LEAD_SHARE"),
        ("integration_refresh.queue", "REFRESHER_INTEGRATION_REFRESH__QUEUE"),
    ],
)
def test_a_field_knows_its_variable(field: str, name: str) -> None:
    """Every message and the list of settings use the same names."""
    assert variable(field) == name
