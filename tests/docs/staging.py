"""What each page with commands needs around it, so that they can run as they stand.

A page runs in a folder of its own. One that says `refresher up` starts its own refresher there; all
others find one that runs, with the connection `ann` at a provider for practice. `instead` says what
runs in place of a command, `names` what stands for a word of the page, `learned` where such a word is
found in what was printed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

INSTALLED = {
    # That these lines install it is shown by tests/package, with the wheel and an empty environment.
    "python3 -m venv .venv": "ln -s {venv} .venv",
    ".venv/bin/pip install 'refresher[embedded]'": ".venv/bin/refresher --version",
    "pip install --quiet httpx": "python -c 'import httpx'",
}
LINK = r"^([0-9a-f]{8}-[0-9a-f-]{27})$"


@dataclass(frozen=True)
class Stage:
    """What one page needs; `{venv}`, `{issuer}`, `{hooks}` and `{root}` are this test's."""

    instead: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    learned: dict[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()


STAGES = {
    "README.md": Stage(
        instead={
            **INSTALLED,
            # They are the whole of CI's other steps, and tests/devkit's.
            "make demo": "make -C {root} -n demo",
            "make test": "make -C {root} -n test",
            ".venv/bin/refresher top": ".venv/bin/refresher top --once",
        },
        names={"connect google": "connect {issuer}"},
        learned={"ID": LINK},
    ),
    "docs/api.md": Stage(learned={"abcdefghijkl": r"rfr_([a-z2-7]{12})_"}),
    "docs/connect.md": Stage(
        names={
            "connect google": "connect {issuer}",
            "Google is connected as ann@example.com": "… is connected as ann@fake.example",
        },
        learned={"ID": LINK},
    ),
    "docs/first-day.md": Stage(instead=INSTALLED, learned={"rfr_…": r"(rfr_[\w-]+)", "ID": LINK}),
    "docs/webhooks.md": Stage(
        instead={
            # Something must have happened before it can be sent again.
            "refresher webhooks deliveries ID --state failed": (
                "refresher connect {issuer} --external-id bob && sleep 3 && "
                "refresher webhooks deliveries ID --json"
            ),
        },
        names={"https://app.example/hooks": "{hooks}", "org-1": "default"},
        learned={
            "0199a2b4": r"^id\s+(\w{8})-",
            "ID": r"^id\s+(\S+)$",
            "EVENT": r'"event_id": ?"([^"]+)"',
        },
    ),
}


def stage(page: str) -> Stage:
    """Returns what a page needs; most need nothing."""
    return STAGES.get(page, Stage())


@dataclass
class Words:
    """The words of a page that mean something of this run, as far as they are known."""

    page: Stage
    known: dict[str, str]
    given: dict[str, str]

    def command(self, text: str) -> str:
        """Returns the command to run for one of the page."""
        bare = re.sub(r"\s+# .*$", "", text)
        return self.told(self.page.instead.get(bare, text))

    def told(self, text: str) -> str:
        """Returns a text with this run's words."""
        for word, meaning in {**self.page.names, **self.known}.items():
            edge = r"\b" if word.isidentifier() else ""
            text = re.sub(f"{edge}{re.escape(word)}{edge}", lambda _, m=meaning: m, text)  # type: ignore[misc]
        for name, meaning in self.given.items():
            text = text.replace(f"{{{name}}}", meaning)
        return text

    def learn(self, printed: str) -> None:
        """Keeps what a command printed and later ones name."""
        for word, pattern in self.page.learned.items():
            found = re.findall(pattern, printed, re.MULTILINE)
            if found:
                self.known[word] = found[-1]
