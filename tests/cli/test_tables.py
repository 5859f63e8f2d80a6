"""How what commands print fits into a terminal: no word is broken, and numbers are for people."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from refresher.cli.output import cell, distance, seconds_of
from refresher.cli.tables import layout
from refresher.rules.words import many, number, span
from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql

COLUMNS = ["id", "state", "reason"]
ROWS = [["c4f1", "parked: app_not_configured", "the provider refuses the client id or its secret"]]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "<1 ms"),
        (3.1e-05, "<1 ms"),
        (0.0061, "6 ms"),
        (0.9994, "999 ms"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
        (9.97, "10 s"),
        (75.0, "75 s"),
        (120.0, "2 min"),
        (7_776_000.0, "90 days"),
        (15_552_000.0, "180 days"),
    ],
)
def test_a_length_of_time_is_said_in_a_unit_that_people_read(seconds: float, expected: str) -> None:
    """Milliseconds without decimals, days for what is long, and never an exponent."""
    assert span(seconds) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(15_552_000.0, "15552000"), (0.2, "0.2"), (7.776e6, "7776000"), (1e21, "1" + "0" * 21)],
)
def test_a_number_has_no_exponent_and_no_empty_decimal(value: float, expected: str) -> None:
    """A setting is shown as somebody would type it."""
    assert number(value) == expected


def test_seconds_come_with_what_they_are_in_larger_units() -> None:
    """A long duration is told in days as well; other values stay as they are."""
    assert seconds_of("refresh_token_lifetime_seconds", 15_552_000.0) == "15552000 (180 days)"
    assert seconds_of("tick_seconds", 1.0) == "1"
    assert seconds_of("lead_share", 0.2) == "0.2"
    assert seconds_of("liveness_lock", True) is True
    assert distance(datetime.now(UTC) + timedelta(milliseconds=3)) == "now"
    assert (many(1, "remark"), many(2, "remark")) == ("1 remark", "2 remarks")
    assert many(2, "address", "addresses") == "2 addresses"


@pytest.mark.parametrize(
    ("width", "spare", "positions", "as_records"),
    [
        (200, (), {0, 1, 2}, False),
        (80, ("state",), {0, 2}, False),
        (64, (), {0, 1, 2}, False),
        (50, (), {0, 1, 2}, True),
        (30, ("state",), {0, 1, 2}, True),
    ],
)
def test_columns_go_before_words_are_broken(
    width: int, spare: tuple[str, ...], positions: set[int], as_records: bool
) -> None:
    """Spare columns go first, then sentences are wrapped, then each row is a record, whole."""
    shown = layout(COLUMNS, ROWS, width, spare)
    assert (set(shown.widths), shown.as_records) == (positions, as_records)
    if not as_records:
        assert sum(shown.widths.values()) + 2 * (len(shown.widths) - 1) <= width


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "connections list",
        "connections show account@example.com",
        "inspect account@example.com",
        "providers list",
        "settings",
        "doctor",
    ],
)
def test_no_terminal_is_so_narrow_that_words_break(cli: Cli, command: str) -> None:
    """Each word of a narrow terminal stands in a wide one as well; an id may be its beginning."""
    cli.connect("account@example.com")
    run_sql(cli, "update refresh_schedule set state = 2, parked_reason = 'app_not_configured'")
    id_ = cli.show("account@example.com")["id"]
    moments = {"now", "now)", "ago", "ago)", "min", "min)"}  # time goes on meanwhile
    wide = {*cli(*command.split()).stdout.split(), id_[:8], *moments}
    for width in (40, 80, 110, 160):
        cli.env["COLUMNS"] = str(width)
        narrow = cli(*command.split()).stdout
        # Where a check has no column of its own, it stands before what it found, with a colon.
        told = {word.removesuffix(":") for word in narrow.split() if word not in wide}
        unknown = {word for word in told - wide if re.search("[A-Za-z]{3}", word)}
        assert unknown == set(), width
        assert not re.search(r"\de[+-]\d", narrow)


@pytest.mark.parametrize("columns", ["40", "60", "80", "100"])
def test_a_command_is_told_whole(cli: Cli, columns: str) -> None:
    """What doctor advises can be copied from a narrow terminal: no line ends within a command."""
    cli.connect("c1", app="eu")
    run_sql(cli, "update refresh_schedule set state = 2, parked_reason = 'app_not_configured'")
    run_sql(cli, "delete from app")
    findings = cli("doctor", "--json").json["findings"]
    told = " ".join(finding["message"] + " " + (finding["mend"] or "") for finding in findings)
    commands = set(re.findall("`[^`]+`", told))
    assert "`refresher apps set acme --name eu --client-id YOUR_CLIENT_ID`" in commands
    cli.env["COLUMNS"] = columns
    narrow = cli("doctor").stdout
    assert [command for command in sorted(commands) if command not in narrow] == []


def test_a_command_counts_as_one_word() -> None:
    """A sentence breaks beside a command, and where that has no room, each row is a record."""
    command = "`apps set acme --client-id YOUR_CLIENT_ID`"
    rows = [["fail", f"the provider refuses the client id: {command}, then look again"]]
    least = len("level") + 2 + len(command + ",")
    assert not layout(["level", "found"], rows, least).as_records
    assert layout(["level", "found"], rows, least - 1).as_records


def test_a_word_has_its_colour_and_a_sentence_has_none() -> None:
    """A state is coloured with its count or reason; a sentence that begins with the word is not."""
    assert cell("retrying (5)").style == cell("retrying").style == "yellow"
    assert cell("parked: crash_loop").style == "yellow"
    assert cell("misconfigured").style == "bold red"
    assert cell("scheduled: 1, under way: 0; none is late").style == ""


def test_an_unknown_provider_is_no_empty_list(cli: Cli) -> None:
    """A typo gets a suggestion; a provider without connections and a filter are told as such."""
    cli.connect("c1")
    cli("connections", "list", "--provider", "gogle").refused('did you mean "google"?')
    assert "no connection of google." in cli("connections", "list", "--provider", "google").stderr
    hint = cli("connections", "list", "--organization", "orgg").stderr
    assert "There is no connection like that" in hint
    assert cli("connections", "list", "--provider", "acme").stderr == ""


def test_expired_and_failing_ones_are_found_and_counted(cli: Cli) -> None:
    """Filters for what is in trouble, the count alone for scripts, and one word for each row."""
    cli.connect("well", "dead", "failing")
    run_sql(
        cli,
        "update connection set expires_at = now() - interval '1 minute' where external_id = 'dead'",
    )
    run_sql(
        cli,
        "update refresh_schedule s set attempt = 5 from connection c "
        "where c.id = s.connection_id and c.external_id = 'failing'",
    )
    for option, name, word in (
        ("--expired", "dead", "expired"),
        ("--failing", "failing", "retrying"),
    ):
        (line,) = cli("connections", "list", option, "--json").lines
        assert (line["external_id"], line["health"]) == (name, word)
        assert cli("connections", "list", option, "--count").stdout == "1\n"
    told = cli("connections", "list").stdout
    for word in ("retrying (5)", "expired", "fresh", "scheduled", "3 connections."):
        assert word in told
    assert cli("connections", "list", "--count", "--json").json == {"count": 3}
    listed = cli("connections", "list", "--state", "scheduled", "--json").lines
    assert len(listed) == len(cli("connections", "list", "--state", "idle", "--json").lines) == 3
    assert cli.show("dead")["id"] in cli("doctor").stdout


def test_connections_are_listed_by_how_they_stand(cli: Cli) -> None:
    """The word of the column is the word of the filter; deleted ones are listed where asked for."""
    cli.connect("well", "held", "gone")
    assert cli("connections", "pause", "held").code == 0
    assert cli("connections", "delete", "gone", "--yes").code == 0
    for word, name in (("fresh", "well"), ("paused", "held"), ("deleted", "gone")):
        (line,) = cli("connections", "list", "--health", word, "--json").lines
        assert (line["external_id"], line["health"]) == (name, word)
        assert cli("connections", "list", "--health", word, "--count").stdout == "1\n"
    assert "no connection like that" in cli("connections", "list", "--health", "late").stderr
    assert cli("connections", "list", "--health", "late", "--failing").code == 2


def test_connections_are_found_by_what_somebody_types(cli: Cli) -> None:
    """By external id, name or id, the exact one first; nothing found says what is searched."""
    cli.connect("4487", "44871", "x-1")
    cli.connect("named", name="44 Ledger")
    found = cli("connections", "list", "--query", "44", "--json").lines
    assert [line["external_id"] for line in found] == ["4487", "44871", "named"]
    assert cli("connections", "list", "--query", "4487").stdout.splitlines()[2].split()[3] == "4487"
    own = cli.show("x-1")["id"]
    assert cli("connections", "list", "--query", own[:13], "--json").json["id"] == own
    cut = cli("connections", "list", "--query", "44", "--limit", "2")
    assert (cut.stdout.splitlines()[-1], cut.stderr) == (
        "2 connections.", "There may be more: type more of it.\n"
    )  # fmt: skip
    none = cli("connections", "list", "--query", "87", "--organization", "orgg")
    assert (none.code, none.stdout) == (0, "")
    assert 'No connection fits "87" (did you mean "org"?). A search finds' in none.stderr
    for other in (["--failing"], ["--health", "late"], ["--provider", "acme"], ["--count"]):
        cli("connections", "list", "--query", "44", *other).refused("--query goes with")
    cli("connections", "list", "--query", "a\x07").refused("control character")
