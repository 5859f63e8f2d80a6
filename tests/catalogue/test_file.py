"""The user's providers file: what it may add and change, and how each mistake is told."""

from pathlib import Path

import pytest

from refresher.catalogue import load
from refresher.errors import CatalogueError
from refresher.rules.providers import ClientAuth, Provider, Rotation
from tests.catalogue.conftest import ACME, Fault, Load
from tests.catalogue.samples import CATALOGUE


def test_one_line_makes_a_provider(load_text: Load):
    """A token URL is enough: the rest has the defaults of the standard."""
    # When
    catalogue = load_text(ACME)

    # Then
    assert catalogue["acme"] == Provider("acme", "https://acme.example/token")
    assert catalogue.origin("acme") == "file"
    assert list(catalogue) == sorted([*CATALOGUE, "acme"])


def test_a_built_in_entry_can_be_changed_field_by_field(load_text: Load):
    """`extends` keeps the facts that the file does not mention, under the same or another name."""
    # When
    catalogue = load_text(
        "[providers.gitlab]\nextends = \"gitlab\"\nhost_pattern = 'git\\.corp\\.example'\n"
        'default_host = "git.corp.example"\n'
        '[providers.google-work]\nextends = "google"\nsend_scope = true\n'
    )

    # Then
    gitlab, work = catalogue["gitlab"], catalogue["google-work"]
    assert gitlab.default_host == "git.corp.example"
    assert gitlab.rotation is Rotation.ALWAYS
    assert work.name == "google-work"
    assert (work.token_url, work.send_scope) == (CATALOGUE["google"].token_url, True)
    assert (catalogue.origin("gitlab"), catalogue.origin("google")) == ("file", "built-in")


def test_every_field_can_be_written(load_text: Load):
    """A whole entry, as an unusual provider needs it, arrives as it was written."""
    # When
    provider = load_text(
        ACME + 'title = "Acme"\nclient_auth = "basic"\nbody = "json"\nrotation = "never"\n'
        'response_path = ["data"]\nerror_path = ["code"]\nerror_detail_path = ["message"]\n'
        'success_without_error_codes = ["0"]\ndead_grant_errors = ["40105", "1: gone"]\n'
        'retry_errors = ["invalid_grant: try later"]\nheaders = { X-Tenant = "a" }\n'
        "access_token_lifetime_seconds = 3600\nmin_token_age_seconds = 0\n"
        "checked_on = 2026-01-31\n"
    )["acme"]

    # Then
    assert provider.client_auth is ClientAuth.BASIC
    assert provider.dead_grant_errors == {"40105", "1: gone"}
    assert provider.headers == {"X-Tenant": "a"}
    assert provider.access_token_lifetime_seconds == 3600.0
    assert provider.checked_on is not None


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('tokn_url = "x"', 'there is no field "tokn_url" (did you mean "token_url"?)'),
        ('strategy = "refresh"', 'strategy is "refresh", but must be one of "refresh_token"'),
        ('rotation = "allways"', '(did you mean "always"?)'),
        ("rotation = 3", 'rotation must be one of "always"'),
        ('method = "PUT"', 'method is "PUT", but must be one of "GET", "POST"'),
        ("dead_grant_errors = [190]", "dead_grant_errors, item 1, must be a text in quotes"),
        ('dead_grant_errors = "gone"', "dead_grant_errors must be a list of texts"),
        ("access_token_lifetime_seconds = 0", "must be more than 0 seconds"),
        ("access_token_lifetime_seconds = true", "must be a number of seconds"),
        ("access_token_lifetime_seconds = inf", "must be a number of seconds"),
        ("reuse_grace_seconds = -1", "reuse_grace_seconds must not be negative"),
        ('checked_on = "2026-01-01"', "must be a date such as 2026-11-22, without quotes"),
        ("send_scope = 1", "send_scope must be true or false"),
        ("title = 1", "title must be a text in quotes"),
        ("headers = { X = 1 }", "headers.X must be a text in quotes"),
        ("error_path = []", "error_path must not be empty"),
        ('client_id = "a"', "client_id belongs to the app: put it under [apps."),
        ('headers = { authorization = "x" }', "headers must not hold authorization"),
        ('headers = { "a b" = "x" }', 'headers has "a b", whose name or value'),
        ('headers = { A = "x\\r\\nB: y" }', 'headers has "A", whose name or value'),
        ('parameters = { client_secret = "s" }', "parameters must not hold client_secret"),
        ('method = "GET"', 'method is "GET", which has no body: set body = "query"'),
        ('strategy = "long_lived_exchange"', "grant_type is missing: long_lived_exchange needs"),
        (
            'strategy = "client_credentials"\nclient_auth = "none"',
            'client_auth is "none", but client_credentials is nothing without a client',
        ),
        (
            'body = "query"\nrefresh_url = "https://acme.example/r?a=b"',
            'body is "query", but the URL has a query already',
        ),
        (
            'dead_grant_errors = ["gone"]\nmisconfigured_errors = ["gone"]',
            'misconfigured_errors has "gone", which stands in dead_grant_errors too',
        ),
        ('retry_errors = ["gone"]', 'retry_errors has "gone", but takes exceptions only'),
        (
            "access_token_lifetime_seconds = 600\nnot_before_expiry_seconds = 600",
            "not_before_expiry_seconds is 600, not less than access_token_lifetime_seconds (600)",
        ),
        ('unsure = ["rotatoin"]', 'unsure names "rotatoin", which is no field (did you mean'),
        ('sources = ["the docs"]', 'sources has "the docs", which is no link'),
        ('default_host = "a.example"', "default_host is set, but no URL has the placeholder"),
    ],
)
def test_a_wrong_field_is_one_sentence(fault: Fault, line: str, sentence: str):
    """A mistake in a field names the file, the table and the field, and says what to do."""
    said = fault(ACME + line)
    assert "providers.toml, [providers.acme]: " in said
    assert sentence in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("acme.example/token", "must begin with https:// and name a server"),
        ("ftp://acme.example/token", "must begin with https:// and name a server"),
        ("https:///token", "must begin with https:// and name a server"),
        ("http://acme.example/token", "must begin with https://, for tokens travel there"),
        ("http://127.0.0.1.evil.example/", "must begin with https://, for tokens travel there"),
        ("http://127.0.0.1:9/token", "which REFRESHER_ALLOW_INSECURE_HOSTS forbids"),
        ("https://user:pw@acme.example/token", "must not hold a user or a password"),
        ("https://acme.example/token#top", "must not hold a fragment"),
        ("https://acme.example/token#", "must not hold a fragment"),
        ("https://acme.example/to ken", "holds a character that no URL may hold"),
        ("https://äcme.example/token", "holds a character that no URL may hold"),
        ("https://acme.example:x/token", "is not a URL"),
        ("https://[::1/token", "is not a URL"),
        (
            "https://{tenant}.acme.example/token",
            '{tenant}, which is not declared: add placeholders = { tenant = "PATTERN" }',
        ),
        ("https://{host.acme.example/token", "{host.acme.example/token, which is no placeholder"),
        ("https://{host}.acme.example/token", "host_pattern is missing"),
        ("", "token_url must not be empty"),
    ],
)
def test_a_url_that_could_leak_a_token_is_refused(fault: Fault, url: str, sentence: str):
    """Tokens go to https servers that the file names, without credentials in the URL."""
    assert sentence in fault(f'[providers.acme]\ntoken_url = "{url}"')


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:9"])
def test_plain_http_to_this_machine_can_be_allowed(load_text: Load, host: str):
    """A fake provider on loopback is reached over http where the settings allow it."""
    text = f'[providers.acme]\ntoken_url = "http://{host}/token"'
    assert load_text(text, allow_loopback=True)["acme"].token_url == f"http://{host}/token"


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("[a-z", "host_pattern is not a regular expression"),
        (".*", 'host_pattern has a bare "."'),
        (r"[a-z]+.acme\.example", 'host_pattern has a bare "."'),
        ("[^/]+", "host_pattern has [^…]"),
        (r"\S+", "host_pattern matches '/', which is not the name of a host"),
        (r"[a-z]*", "host_pattern matches '', which is not"),
        (r"[a-z@]+", "host_pattern matches 'a@b', which is not"),
        (r"[a-z/]+", "host_pattern matches '/', which is not"),
        (r"[a-z#]+", "host_pattern matches 'a#b', which is not"),
        (r"[a-z?]+", "host_pattern matches 'a?b', which is not"),
        (r"[a-z:]+", "host_pattern matches 'a:b', which is not"),
        (r"[a-z%0-9]+", "host_pattern matches '%2f', which is not"),
        (r"[a-z]+\.example\W\d+", "matches a port: allow one by writing the colon"),
    ],
)
def test_a_pattern_that_lets_too_much_through_is_refused(fault: Fault, pattern: str, sentence: str):
    """A host pattern lists what is allowed, and matches nothing but names of hosts."""
    url = 'token_url = "https://{host}/token"'
    assert sentence in fault(f"[providers.acme]\n{url}\nhost_pattern = '{pattern}'")


def test_a_default_host_must_match_its_own_pattern(fault: Fault):
    """The host that connections without one use is held to the same rule."""
    text = (
        '[providers.acme]\ntoken_url = "https://{host}/token"\n'
        "host_pattern = '[a-z]+\\.acme\\.example(:[0-9]+)?'\ndefault_host = \"acme.example\""
    )
    assert 'default_host is "acme.example", which host_pattern does not match' in fault(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[providers.google]\nclient_auth = "basic"', 'add extends = "google" to change'),
        ('[providers.a]\nextends = "gogle"', '(did you mean "google"?)'),
        ("[providers.a]\nextends = 1", 'extends is "1", but no built-in provider'),
        ('[providers.Acme]\ntoken_url = "https://a.example"', '"Acme" is no name for a provider'),
        ("[providers.a]", "[providers.a]: token_url is missing"),
        ("[provider.a]", 'no section is called [provider] (did you mean "providers"?)'),
        ("providers = 3", "providers must be tables, such as [providers.acme]"),
        ("[providers]\nacme = 3", "acme must be a table of its own, [providers.acme]"),
        ("[providers.a]\ntoken_url = ", "is not valid TOML: "),
        ("[providers.a]\n\ntoken_url = x", "line 3"),
    ],
)
def test_a_wrong_table_is_one_sentence(fault: Fault, text: str, sentence: str):
    """A mistake around the fields is told as plainly as one in them."""
    said = fault(text)
    assert sentence in said
    assert "\n" not in said


def test_all_faults_are_told_at_once(fault: Fault):
    """Two mistakes in two tables are two lines, each with its table."""
    lines = fault('[providers.a]\nrotation = "x"\n[providers.b]\nbody = "x"').splitlines()
    assert [line.split(": ")[0].rsplit(", ")[-1] for line in lines] == [
        "[providers.a]",
        "[providers.b]",
    ]


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    """A missing file, a folder and a file that is no text are each told by name."""
    # Given
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"[providers]\n\xff\xfe")

    # Then
    with pytest.raises(CatalogueError, match=r"missing\.toml does not exist$"):
        load(tmp_path / "missing.toml")
    with pytest.raises(CatalogueError, match=r"is a directory, not a TOML file$"):
        load(tmp_path)
    with pytest.raises(CatalogueError, match=r"binary\.toml is not UTF-8 text \(byte 12\)$"):
        load(binary)


def test_an_empty_file_changes_nothing(load_text: Load):
    """A file with nothing in it, or a byte-order mark alone, is the built-in catalogue."""
    assert load_text("\ufeff").providers == CATALOGUE.providers


@pytest.mark.parametrize(
    ("field", "says"),
    [
        ("authorization_url", "it is called authorize_url here"),
    ],
)
def test_a_name_that_others_use_is_answered_in_its_own_words(fault: Fault, field: str, says: str):
    """Whoever copies from metadata learns what a field is called here, or that it is none."""
    said = fault(f'{ACME}{field} = "https://acme.example/x"\n')
    assert f'there is no field "{field}": ' in said
    assert says in said
    assert "did you mean" not in said


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ('answer_names = { access_token = "accessToken" }', {"access_token": ("accessToken",)}),
        ('answer_names = { scope = ["of", 0] }', {"scope": ("of", 0)}),
    ],
)
def test_a_name_of_an_answer_is_one_name_or_a_way(
    load_text: Load, line: str, paths: dict[str, tuple[str | int, ...]]
):
    """A plain name is a way of one step."""
    assert load_text(ACME + line)["acme"].answer_names == paths


@pytest.mark.parametrize("given", ['"data"', '["data", true]', '["data", ""]', "[1.5]"])
def test_a_way_has_names_and_numbers_only(load_text: Load, given: str):
    """Anything else is refused with an example."""
    with pytest.raises(CatalogueError, match="response_path must be a list of names, and numbers"):
        load_text(ACME + f"response_path = {given}")
