"""Proves an entry of the catalogue: our rules, against the OAuth server that plays the same entry.

`prove(entry)` returns a sentence for each promise that is not kept, none for a good entry. Nothing
leaves the process: requests go as bytes to the server's application, whose clock is moved by hand.
"""

from collections.abc import Mapping

from refresher.devkit.oauth_server.entry import unplayable
from refresher.rules.providers import Provider
from refresher.testing.proof.promises import PROMISES
from refresher.testing.proof.stand import Stand, Unprovable

__all__ = ["PROMISES", "Stand", "Unprovable", "prove"]


def prove(
    entry: Provider, *, host: str | None = None, placeholders: Mapping[str, str] | None = None
) -> list[str]:
    """Returns what is wrong, each as a sentence that begins with the entry's name.

    `host` and `placeholders` are a connection's values, where the entry's own examples do not do.
    """
    if unknown := unplayable(entry):
        return unknown
    wrong: list[str] = []
    for name in PROMISES:
        wrong += broken(entry, name, host=host, placeholders=placeholders)
    return list(dict.fromkeys(wrong))


def broken(
    entry: Provider,
    promise: str,
    *,
    host: str | None = None,
    placeholders: Mapping[str, str] | None = None,
) -> list[str]:
    """Returns what is wrong with one promise of `PROMISES`."""
    try:
        return [
            f"{entry.name}: {promise}: {sentence}"
            for sentence in PROMISES[promise](Stand(entry, host, placeholders))
        ]
    except Unprovable as why:
        return [f"{entry.name}: {why}"]
