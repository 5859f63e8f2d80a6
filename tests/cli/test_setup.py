"""`settings`, `encryption`, `providers`, `apps`, `migrate`: what is set up before connections come."""

import threading
from pathlib import Path

import pytest

from refresher.connections.oauth_apps import sync_apps
from refresher.rules.masking import masked_url
from refresher.runtime.cipher import parse_key
from refresher.runtime.services import build
from refresher.settings import load
from refresher.store.migrate import newest
from tests.cli.kit import Cli, Ran

NEEDS_NO_SETTING = [["providers", "list"], ["providers", "show", "google"], ["settings"]]


def test_settings_tell_where_they_come_from(cli: Cli):
    """Each setting is shown with its value and the variable that set it, or as a default."""
    cli.env |= {"REFRESHER_LEAD_SHARE": "0.3", "REFRESHER_PORT": "0"}
    shown = cli("settings", "--json").json
    assert shown["REFRESHER_LEAD_SHARE"] == {"value": 0.3, "origin": "REFRESHER_LEAD_SHARE"}
    assert shown["PORT"] == {"value": 0, "origin": "REFRESHER_PORT"}
    assert shown["REFRESHER_ATTEMPTS"]["origin"] == "default"
    transport = shown["REFRESHER_INTEGRATION_REFRESH__TRANSPORT"]
    assert transport == {
        "value": "in_process", "origin": "REFRESHER_INTEGRATION_REFRESH__TRANSPORT",
    }  # fmt: skip
    assert "REFRESHER_LEAD_SHARE" in cli("settings").stdout


def test_settings_show_no_secret(cli: Cli):
    """Passwords and keys are masked in both forms of output."""
    key = cli.env["REFRESHER_ENCRYPTION_KEYS"]
    cli.env |= {
        "DATABASE_URL": "postgresql://me:hunter2@db.example:5432/x?sslpassword=hunter2",
        "REDIS_URL": "redis://:hunter2@redis.example/0",
        "REFRESHER_ENCRYPTION_KEYS": f"{key},too-short-hunter2",
    }
    for ran in (cli("settings"), cli("settings", "--json")):
        assert "hunter2" not in ran.stdout
        assert key not in ran.stdout
        assert "me:***@db.example" in ran.stdout
        assert "not a key" in ran.stdout


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h/d", "postgresql://u:***@h/d"),
        ("postgresql://u:p@ss@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("redis://:p@h:6379/0", "redis://:***@h:6379/0"),
        ("postgresql://h/d?password=p&sslmode=on", "postgresql://h/d?password=***&sslmode=on"),
        ("p", "***"),
        ("postgresql://[p", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str):
    """Whatever the URL, its password is not shown; a text that is no URL is not shown at all."""
    assert masked_url(url) == shown


def test_a_wrong_setting_is_one_sentence(bare: Cli):
    """A typo in a variable's name ends every command with a suggestion."""
    bare.env["REFRESHER_LEED_SHARE"] = "0.3"
    bare("settings").refused("REFRESHER_LEED_SHARE", 'did you mean "REFRESHER_LEAD_SHARE"?')


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql://user:hunter2@localhost:port/x"),
        ("DATABASE_URL", "postgresql://[::1/x"),
        ("REDIS_URL", "http://localhost"),
        ("REDIS_URL", "redis://:hunter2@localhost:port"),
    ],
)
def test_a_wrong_url_is_one_sentence(bare: Cli, variable: str, value: str):
    """A URL that cannot be read ends in a sentence with the setting's name and no password."""
    bare.env[variable] = value
    ran = bare("connections", "list")
    ran.refused(variable)
    assert "hunter2" not in ran.stderr


def test_a_new_key_is_alone_on_stdout(bare: Cli):
    """`encryption new-key` can be captured by a shell: the hint goes to stderr."""
    ran = bare("encryption", "new-key")
    assert len(parse_key(ran.stdout.strip())) == 32
    assert "REFRESHER_ENCRYPTION_KEYS" in ran.stderr
    assert bare("encryption", "new-key").stdout != ran.stdout
    assert len(bare("encryption", "new-key", "--json").json["id"]) == 8


@pytest.mark.parametrize("command", NEEDS_NO_SETTING)
def test_looking_needs_no_setting(bare: Cli, command: list[str]):
    """The catalogue and the settings are shown without a database, a key or Redis."""
    assert bare(*command).code == 0


def test_providers_tell_their_origin(cli: Cli):
    """A provider of the user's file stands in the list, told apart from the built-in ones."""
    listed = {entry["name"]: entry for entry in cli("providers", "list", "--json").lines}
    assert (listed["acme"]["origin"], listed["google"]["origin"]) == ("file", "built-in")
    assert "acme" in cli("providers", "list").stdout
    shown = cli("providers", "show", "acme")
    assert "http://127.0.0.1:9/token" in shown.stdout
    assert cli("providers", "show", "google", "--json").json["sources"]


def test_an_unknown_provider_gets_a_suggestion(bare: Cli):
    """A typo in a provider's name ends in a sentence with the nearest one."""
    bare("providers", "show", "gogle").refused('did you mean "google"?')
    bare("providers", "check", "gogle").refused('did you mean "google"?')


def test_a_providers_file_is_checked(cli: Cli):
    """`providers check` takes a good file, and refuses a typo with a suggestion."""
    good = cli("providers", "check")
    assert (good.code, "1 checked and usable" in good.stderr) == (0, True)
    assert cli("providers", "check", "--json").json["checked"] == ["acme"]
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text('[providers.acme]\ntoken_ulr = "https://a.example/token"\n')
    wrong = cli("providers", "check")
    assert wrong.code == 2
    assert 'no field "token_ulr" (did you mean "token_url"?)' in wrong.stderr
    assert all(line.startswith("refresher: ") for line in wrong.stderr.splitlines())


def test_a_check_remarks_on_your_file_alone(cli: Cli):
    """Built-in providers are remarked on with --all only; a secret in clear is always named."""
    own = cli("providers", "check")
    assert "acme, app default: client_secret stands in the file" in own.stdout
    assert "fake-secret" not in own.stdout
    assert "not confirmed" not in own.stdout
    assert "1 remark." in own.stderr
    assert "not confirmed" in cli("providers", "check", "--all").stdout
    Path(cli.env["REFRESHER_PROVIDERS_FILE"]).write_text(
        '[apps.google]\nclient_id = "g"\nclient_secret_env = "UNSET_SECRET"\n'
    )
    assert "not confirmed" not in cli("providers", "check").stdout


def test_a_missing_secret_stops_only_its_app(cli: Cli):
    """Providers are shown and checked, apps stored, and `doctor` names what is missing."""
    file = Path(cli.env["REFRESHER_PROVIDERS_FILE"])
    file.write_text('[apps.google]\nclient_id = "g"\nclient_secret_env = "UNSET_SECRET"\n')
    assert cli("providers", "show", "google").code == 0
    checked = cli("providers", "check")
    assert checked.code == 0
    assert "[apps.google] is not used: client_secret_env names UNSET_SECRET" in checked.stdout
    assert cli("apps", "set", "x", "--client-id", "a", "--no-secret").code == 0
    told = [f for f in cli("doctor", "--json").json["findings"] if "UNSET_SECRET" in f["message"]]
    assert [(f["check"], f["level"]) for f in told] == [("providers", "warn")]


def test_a_client_secret_is_never_an_argument(cli: Cli):
    """An app is set with its secret from stdin, a variable or a prompt; there is no option for it."""
    # Given a secret in each of the ways
    arguments = ["apps", "set", "google", "--client-id", "id-1"]
    cli.env["GOOGLE_SECRET"] = "hunter2"
    # Then each stores it, and the same again changes nothing
    first = cli(*arguments, "--secret-stdin", "--json", stdin="hunter2\n")
    again = cli(*arguments, "--secret-env", "GOOGLE_SECRET", "--json")
    other = cli(*arguments, "--no-secret", "--json")
    assert [ran.json["changed"] for ran in (first, again, other)] == [True, False, True]
    assert "hunter2" not in first.stdout + first.stderr
    cli(*arguments, "--client-secret", "hunter2").refused("no such option")


def test_a_terminal_is_asked_for_the_secret(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """Without an option, a terminal is asked, on stderr and without an echo."""
    monkeypatch.setattr("refresher.cli.session.is_terminal", lambda: True)
    ran = cli("apps", "set", "google", "--client-id", "id-1", "--json", stdin="hunter2\n")
    assert ran.json["changed"]
    assert "Client secret" in ran.stderr
    assert "hunter2" not in ran.stdout + ran.stderr
    assert cli("apps", "list", "--json").json["has_secret"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "part"),
    [
        ([], None, "no terminal"),
        (["--secret-stdin"], "", "the secret on stdin is empty"),
        (["--secret-stdin"], "a\nb", "characters that no"),
        (["--secret-stdin"], "x" * 5000, "longer than 4,096"),
        (["--secret-env", "NOT_SET"], None, "the variable that --secret-env names is empty"),
        (["--secret-stdin", "--no-secret"], "x", "give one of --secret-stdin"),
        (["--no-secret", "--name", " "], None, "--name is empty"),
    ],
)
def test_a_wrong_secret_is_one_sentence(
    cli: Cli, arguments: list[str], stdin: str | None, part: str
):
    """Whatever is wrong with a secret is told in one sentence, and nothing is stored."""
    cli("apps", "set", "google", "--client-id", "x", *arguments, stdin=stdin).refused(part)
    assert cli("apps", "list", "--json").stdout == ""


def test_apps_are_listed_without_secrets(cli: Cli):
    """`apps list` shows client ids, and of a secret only that there is one."""
    cli("apps", "set", "google", "--client-id", "id-1", "--secret-stdin", stdin="hunter2")
    cli("apps", "set", "google", "--name", "eu", "--client-id", "id-2", "--no-secret")
    shown = cli("apps", "list", "--json").lines
    assert [(a["name"], a["client_id"], a["has_secret"]) for a in shown] == [
        ("default", "id-1", True), ("eu", "id-2", False),
    ]  # fmt: skip
    table = cli("apps", "list").stdout
    assert "google/eu" in table
    assert "hunter2" not in table


def test_an_app_needs_a_known_provider_and_a_key(cli: Cli):
    """`apps set` refuses a provider's typo, and to store a secret without a key."""
    cli("apps", "set", "gogle", "--client-id", "x", "--no-secret").refused('did you mean "google"?')
    del cli.env["REFRESHER_ENCRYPTION_KEYS"]
    ran = cli("apps", "set", "google", "--client-id", "x", "--no-secret")
    ran.refused("REFRESHER_ENCRYPTION_KEYS", "refresher encryption new-key")


def test_the_file_s_apps_are_stored_once(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """`sync_apps` stores the file's apps where they differ, also from one that no key opens."""
    for name, value in cli.env.items():
        monkeypatch.setenv(name, value)
    services = build(load())
    try:
        assert [sync_apps(services), sync_apps(services)] == [["acme/default"], []]
    finally:
        services.close()
    # When the key is lost
    fresh = cli("encryption", "new-key").stdout.strip()
    monkeypatch.setenv("REFRESHER_ENCRYPTION_KEYS", fresh)
    services = build(load())
    try:
        assert sync_apps(services) == ["acme/default"]
    finally:
        services.close()


def test_an_app_of_the_file_wins_and_this_is_told(cli: Cli):
    """Setting an app that the providers file has too is done, with a note on who wins."""
    ran = cli("apps", "set", "acme", "--client-id", "x", "--no-secret")
    assert ran.code == 0
    assert "The providers file has this app too" in ran.stderr


def test_migrating_needs_neither_key_nor_redis(bare: Cli, bare_database_url: str):
    """`migrate` makes the tables; before, every other command names it in its sentence."""
    bare.env["DATABASE_URL"] = bare_database_url
    bare("connections", "list").refused("refresher migrate", code=4)
    assert bare("migrate", "--json").json == {"before": None, "after": newest(), "changed": True}
    assert "nothing to do" in bare("migrate").stdout
    assert bare("connections", "list").code == 0


def test_two_migrations_at_once_take_turns(bare: Cli, bare_database_url: str):
    """A second migration at the same time waits for the first, and finds nothing to do."""
    bare.env["DATABASE_URL"] = bare_database_url
    ran: list[Ran] = []
    threads = [
        threading.Thread(target=lambda: ran.append(bare.process("migrate", "--json")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.code for one in ran] == [0, 0]
    assert sorted(one.json["changed"] for one in ran) == [False, True]


def test_a_database_that_is_away_comes_with_advice(bare: Cli):
    """The URL as people write it, without a password, and what to do about it."""
    bare.env["DATABASE_URL"] = "postgresql://u:hunter2@127.0.0.1:9/x"
    ran = bare("connections", "list")
    ran.refused("postgresql://u:***@127.0.0.1:9/x cannot be used", "start PostgreSQL", code=3)
    assert "psycopg" not in ran.stderr


def test_an_option_that_is_a_setting_is_answered_with_its_variable(bare: Cli):
    """Whoever gives a setting as an option learns the variable that sets it."""
    bare("up", "--port", "9000").refused("no such option: --port", "PORT in the environment")
    bare("doctor", "--lead-share", "0.2").refused("REFRESHER_LEAD_SHARE in the environment")
    assert "environment" not in bare("doctor", "--nonsense").stderr
