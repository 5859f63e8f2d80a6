"""docs/webhooks.md says what the program does."""

import os
import re
from pathlib import Path

from refresher.rules.delivery import DeliveryPolicy, retry_in
from refresher.settings import Settings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "webhooks.md"
BEGIN, END = "<!-- retry table: begin -->\n", "<!-- retry table: end -->"


def retry_table() -> str:
    """Returns the table of retries as the rule makes it, without jitter."""
    policy, since, attempt = DeliveryPolicy(), 0.0, 1
    lines = ["| attempt | after | since the first |", "| ---: | ---: | ---: |", "| 1 | | |"]
    while (wait := retry_in(policy, attempt, since, 0.0)) is not None:
        attempt, since = attempt + 1, since + wait
        lines.append(f"| {attempt} | {words(wait)} | {words(since)} |")
    return "\n".join(lines) + "\n"


def words(seconds: float) -> str:
    """Returns a length of time as people write it."""
    if seconds < 120:
        return f"{seconds:g} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def test_the_table_of_retries_is_the_rule_s() -> None:
    """Whoever changes the rule changes the page (REFRESHER_TEST_WRITE_DOCS=1 writes it)."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    stated, _, after = rest.partition(END)
    if os.environ.get("REFRESHER_TEST_WRITE_DOCS"):
        PAGE.write_text(before + BEGIN + retry_table() + END + after)
        stated = retry_table()
    assert stated == retry_table()


def test_every_setting_on_the_page_exists_with_that_default() -> None:
    """No variable is misspelt, none is missing, and the defaults are those of the program."""
    named = {name for name in Settings.model_fields if name.startswith("webhook_")}
    rows = re.findall(r"^\| (`REFRESHER_WEBHOOK.*?) \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    stated: dict[str, str] = {}
    for variables, defaults in rows:
        names = re.findall(r"`(.*?)`", variables)
        values = defaults.split(", ")
        stem = names[0].removeprefix("REFRESHER_").lower()
        for name, value in zip(names, values, strict=True):
            field = name.removeprefix("REFRESHER_").lower()
            if name.startswith("…"):
                field = next(f for f in [*named, *FLOW] if f.endswith(field[1:]) and near(f, stem))
            stated[field] = value.strip("`").replace(",", "")
    assert set(stated) == (named - {"webhook_delivery"}) | set(FLOW)
    for field in named - {"webhook_delivery"}:
        assert float(stated[field]) == Settings.model_fields[field].default, field


FLOW = {f"webhook_delivery__{part}" for part in ("transport", "queue", "enabled")}


def near(field: str, stem: str) -> bool:
    """Whether two settings belong together."""
    return field.split("_")[:2] == stem.split("_")[:2] or stem == "webhook_concurrency"
