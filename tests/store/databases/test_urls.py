"""DATABASE_URL and REDIS_URL in the forms that hosts hand out, and in those that nobody can read."""

import pytest
from sqlalchemy import create_engine

from refresher.errors import SettingsError
from refresher.rules.masking import mask
from refresher.settings import load
from tests.processes import Spawner
from tests.store.databases.kit import connected

ENCODE = "percent-encode what is special in user and password"


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ("postgres://u:p@h/d", {"host": "h", "user": "u", "password": "p", "dbname": "d"}),
        ("postgres://u:p%40%2F@h:5/d", {"password": "p@/", "port": 5}),
        (" postgres://u:p@h/d\n", {"dbname": "d"}),
        ("postgres://u@h1:1,h2:2/d", {"host": "h1,h2", "port": "1,2"}),
        ("postgres://h1,h2/d?port=1,2", {"host": "h1,h2", "port": "1,2"}),
        ("postgres://u@/d?host=h1:1&host=h2:2", {"host": "h1,h2", "port": "1,2"}),
        ("postgres://h1,h2/d?target_session_attrs=primary", {"target_session_attrs": "primary"}),
        ("postgres://u@%2Ftmp%2Fa:5/d", {"host": "/tmp/a", "port": "5"}),
        ("postgres:///d?host=/tmp/a", {"host": "/tmp/a", "dbname": "d"}),
        ("postgres://[::1]:5/d", {"host": "::1", "port": 5}),
        ("postgres://h/d?options=-csearch_path%3Dx", {"options": "-csearch_path=x"}),
        ("postgres://h/d?sslmode=require&channel_binding=require", {"sslmode": "require"}),
        ("postgres://h/d?ssl=true", {"sslmode": "require"}),
        ("postgres://u@h/d?password=z", {"password": "z"}),
    ],
)
def test_a_url_means_what_postgresql_s_own_client_takes_it_for(
    monkeypatch: pytest.MonkeyPatch, given: str, arguments: dict[str, object]
) -> None:
    """Every form of libpq counts, with all of its options, and so does white space around it."""
    monkeypatch.setenv("DATABASE_URL", given)
    url = load().database
    engine = create_engine(url)
    _, named = engine.dialect.create_connect_args(engine.url)
    assert {name: named[name] for name in arguments} == arguments


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("postgres://h/d?pgbouncer=true", 'the option "pgbouncer".*REFRESHER_LIVENESS_LOCK'),
        ("postgres://h/d?a=1&connection_limit=1", 'the option "a"'),
        ("postgres://h/d?connection_limit=1", "REFRESHER_DATABASE_POOL_SIZE"),
        ("postgres://h/d?schema=public", "REFRESHER_DATABASE_SCHEMA"),
        ("postgres://h/d?supa=base-pooler.x", 'the option "supa"'),
        ("postgres://h/d?prepare_threshold=0", 'the option "prepare_threshold"'),
        ("postgres://h/d?autocommit=1", 'the option "autocommit"'),
        ("postgres://h/d?sslmode=on", "wrong value for sslmode: it may be disable"),
        ("postgres://h/d?connect_timeout=soon", "connect_timeout: it must be a whole number"),
        ("postgres://h/d?client_encoding=latin1", "wrong value for client_encoding"),
        ("postgres://h/d?sslmode", "an option without a value"),
        ("postgres://h/d\nx", "a line break"),
        ("postgres://u:S3cr@t-tail@h/d", ENCODE),
        ("postgres://us@er:S3cret-tail@h/d", ENCODE),
        ("postgres://u:S3cr/t-tail@h/d", ENCODE),
        ("postgres://u:33/t-tail@h/d", ENCODE),
        ("postgres://u:33/x?t-tail=1@h/d", ENCODE),
        ("postgres://u:33?t-tail@h/d", ENCODE),
        ("postgres://u:S3%zt-tail@h/d", ENCODE),
        ("postgres://u:S3cr t-tail@h/d", ENCODE),
        ("postgres://h:99999/d", "host or port cannot be read"),
        ("postgres://h:0/d", "host or port cannot be read"),
        ("mysql://u:t-tail@h/d", "must begin with postgresql://"),
    ],
)
def test_what_cannot_be_read_is_one_sentence_that_repeats_no_password(
    monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    """It names the variable, and the option where one is at fault; of a password it shows nothing."""
    monkeypatch.setenv("DATABASE_URL", given)
    with pytest.raises(SettingsError, match=rf"^DATABASE_URL .*{sentence}") as told:
        load()
    assert "t-tail" not in str(told.value)
    assert "S3" not in str(told.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("redis://:t-tail/b@h:1/0", ENCODE),
        ("redis://:12/t-tail@h:1/0", ENCODE),
        ("redis://:t-tail#b@h:1/0", ENCODE),
        ("redis://h/0?pool=1", 'the option "pool"'),
        ("redis://h/0?db=first", 'the option "db"'),
        ("redis://h?ssl_cert_reqs=none", 'the option "ssl_cert_reqs"'),
        ("redis://h/first", "redis://host:6379/0"),
        ("http://:t-tail@h", "must begin with redis://"),
    ],
)
def test_a_url_of_redis_is_judged_alike(
    monkeypatch: pytest.MonkeyPatch, given: str, sentence: str
) -> None:
    """What redis-py would stumble over later is told at once, without the password."""
    monkeypatch.setenv("REDIS_URL", given)
    with pytest.raises(SettingsError, match=rf"^REDIS_URL .*{sentence}") as told:
        load()
    assert "t-tail" not in str(told.value)


@pytest.mark.parametrize(
    "given", ["redis://:a@b@h:1/2", "rediss://h?ssl_cert_reqs=none", " redis://h/2\n", "redis://h"]
)
def test_a_url_that_redis_py_takes_is_taken(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """An @ in the password is none of its troubles."""
    monkeypatch.setenv("REDIS_URL", given)
    assert load().redis == given.strip()


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://u:a@b@h:1/d refused", "postgres://u:***@h:1/d refused"),
        ("postgresql+psycopg://u:a/b@c@h/d", "postgresql+psycopg://u:***@h/d"),
        ("at postgres://u:1/b@h/d now", "at postgres://u:***@h/d now"),
        ("postgres://us@er:pw@h/d", "postgres://***@h/d"),
        ("redis://:a@b@h:1/0", "redis://:***@h:1/0"),
        ("rediss://:a/b?c@h", "rediss://:***@h"),
        ("smtp://u:a@b@h:25", "smtp://u:***@h:25"),
        ("https://u:a@b@h/x", "https://u:***@h/x"),
        ("https://h:8080/x?mail=ann@acme.example", "https://h:8080/x?mail=ann@acme.example"),
        ("see https://h/x, ask ann@acme.example", "see https://h/x, ask ann@acme.example"),
    ],
)
def test_a_password_is_masked_up_to_the_last_at(text: str, masked: str) -> None:
    """Whatever of it a careless library prints, an unescaped @ or / lets nothing of it through."""
    assert mask(text) == masked


def test_the_url_s_own_settings_win(database_url: str) -> None:
    """`options`, `connect_timeout` and the program's name count; what they leave out is ours."""
    options = "-c statement_timeout=1234 -csearch_path=other --lock_timeout=77"
    with connected(f"{database_url}?connect_timeout=2&application_name=mine", options) as shown:
        assert shown("statement_timeout") == "1234ms"
        assert shown("search_path") == "other"
        assert shown("lock_timeout") == "77ms"
        assert shown("timezone") == "UTC"
        assert shown("application_name") == "mine refresher"


def test_the_environment_s_settings_count(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGOPTIONS is what PostgreSQL's own clients read."""
    monkeypatch.setenv("PGOPTIONS", "-c search_path=other")
    with connected(database_url) as shown:
        assert shown("search_path") == "other"


@pytest.mark.parametrize("command", ["migrate", "doctor", "settings", "connections list"])
def test_a_command_says_it_without_a_traceback(command: str, spawn: Spawner) -> None:
    """The exit code is that of a wrong setting; doctor's is its own."""
    ran = spawn(
        "-m", "refresher", *command.split(), env={"DATABASE_URL": "postgres://h/d?pgbouncer=true"}
    )
    assert ran.wait() == (1 if command == "doctor" else 2)
    assert "pgbouncer" in ran.output
    assert "Traceback" not in ran.output
