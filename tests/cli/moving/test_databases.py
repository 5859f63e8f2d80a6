"""Other systems' databases: a real PostgreSQL, read by the names and columns of their libraries."""

import psycopg
import pytest

from tests.cli.kit import Cli

END = "timestamptz '2099-01-01 00:00Z'"
TABLES = {
    "authjs": """
        create table accounts (id serial, "userId" integer, type text, provider text,
            "providerAccountId" text, access_token text, refresh_token text, expires_at bigint);
        insert into accounts ("userId", type, provider, "providerAccountId", access_token,
            refresh_token, expires_at) values (5, 'oidc', 'acme', '1042', 'at', 'rt', 4070908800)
        """,
    "python-social-auth": """
        create table social_auth_usersocialauth (id serial, provider text, uid text, user_id integer,
            extra_data jsonb);
        insert into social_auth_usersocialauth (provider, uid, user_id, extra_data) values ('acme',
            '1042', 5, '{"access_token": "at", "refresh_token": "rt", "expires_on": 4070908800}')
        """,
    "django-allauth": f"""
        create table socialaccount_socialapp (id integer, client_id text);
        create table socialaccount_socialaccount (id integer, provider text, uid text,
            user_id integer);
        create table socialaccount_socialtoken (id serial, app_id integer, account_id integer,
            token text, token_secret text, expires_at timestamptz);
        insert into socialaccount_socialapp values (1, 'c1');
        insert into socialaccount_socialaccount values (2, 'acme', '1042', 5);
        insert into socialaccount_socialtoken values (3, 1, 2, 'at', 'rt', {END})
        """,
    "supabase": f"""
        create schema auth;
        create table auth.identities (provider_id text, user_id uuid, provider text);
        create table kept (user_id uuid, provider text, provider_token text,
            provider_refresh_token text, provider_token_expires_at timestamptz);
        insert into auth.identities values ('1042', '{"5" * 32}', 'acme');
        insert into kept values ('{"5" * 32}', 'acme', 'at', 'rt', {END})
        """,
}


@pytest.fixture
def theirs(cli: Cli, bare_database_url: str) -> str:
    """A database without anything of ours, named by a variable; where people name its password."""
    url = bare_database_url.replace("postgresql+psycopg://", "postgresql://")
    cli.env["THEIRS"] = f"{url}?schema=public&connection_limit=5"
    return url


@pytest.mark.parametrize(
    "system",
    # Those that libraries themselves have stored are in `test_real_libraries.py`, as slow as this.
    [pytest.param(name, marks=[] if name == "supabase" else [pytest.mark.slow]) for name in TABLES],
)
def test_a_table_of_each_library(cli: Cli, theirs: str, system: str):
    """Rows are found, joined and read; nothing is written there."""
    with psycopg.connect(theirs) as db:
        db.execute(TABLES[system])
    options = ["--table", "kept"] if system == "supabase" else []
    ran = cli("connections", "import", "--from", system, "env:THEIRS", "--json", *options)
    assert (ran.code, ran.json["created"]) == (0, 1), ran.stderr
    shown = cli.show("1042")
    assert (shown["provider"], shown["expires_at"][:10]) == ("acme", "2099-01-01")
    assert shown["organization_id"].replace("-", "").strip("5") == ""


def test_what_is_not_there_is_said(cli: Cli, theirs: str):
    """Missing, or too many, tables, passwords in arguments and databases that are away: a sentence."""

    def refused(part: str, *given: str, code: int = 1) -> None:
        ran = cli("connections", "import", "--from", *given, "--dry-run")
        ran.refused(part, code=code)
        assert "secret-word" not in ran.stderr

    refused("has none (with provider", "authjs", "env:THEIRS")
    refused("no table social_auth_usersocialauth", "python-social-auth", "env:THEIRS")
    refused("no table socialaccount_socialtoken", "django-allauth", "env:THEIRS")
    refused("name the table in which your application", "supabase", "env:THEIRS")
    refused("is read by its API, or from a file", "nango", "env:THEIRS")
    refused("no table app.accounts", "authjs", "env:THEIRS", "--table", "app.accounts")
    refused("the variable NOTHING is not set", "authjs", "env:NOTHING", code=2)
    refused("a password in an argument", "authjs", "postgresql://a:secret-word@h/d", code=2)
    refused("their database", "authjs", "postgresql://nobody@127.0.0.1:9/d")
    cli.env["THEIRS"] = "mysql://root:secret-word@h/d"
    refused("must begin with postgresql://", "authjs", "env:THEIRS")
    with psycopg.connect(theirs) as db:
        db.execute("create schema app; " + TABLES["authjs"])
        db.execute(TABLES["authjs"].replace("accounts", "app.accounts"))
    cli.env["THEIRS"] = theirs
    refused("several tables of accounts, app.accounts, public.accounts", "authjs", "env:THEIRS")
    ran = cli("connections", "import", "--from", "authjs", "env:THEIRS", "--table", "app.accounts")
    assert ran.code == 0, ran.stderr
