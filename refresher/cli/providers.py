"""`refresher providers`: what the catalogue knows, what deserves a look in it, and what is paused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Annotated

import typer

from refresher import catalogue as entries
from refresher.catalogue import Catalogue, describe, telling
from refresher.cli import provider_issuers, session
from refresher.cli.output import (
    CannotDo,
    Json,
    WrongUse,
    command,
    distance,
    emit,
    facts,
    listing,
    note,
    seconds_of,
    width,
)
from refresher.errors import CatalogueError
from refresher.rules.changes import announced
from refresher.rules.consent import why_not
from refresher.rules.providers import Provider
from refresher.rules.words import capital, many, span
from refresher.runtime.parts import catalogue_from
from refresher.settings import load
from refresher.store import audit, pause_list
from refresher.store.pause_list import Chosen, PauseView

Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider, such as google.")]
Play = Annotated[
    bool,
    typer.Option(
        "--play",
        help="Have the OAuth server of the test kit behave as each entry says, and refresh there: dead "
        "grant, rate limit, rotation, lost answer and more. Nothing leaves this machine.",
    ),
]
COLUMNS = [
    *(
        "provider",
        "title",
        "category",
        "connects",
        "strategy",
        "rotation",
        "lives",
        "checked",
        "from",
    ),
]
PAUSE_COLUMNS = ["what", "for", "why", "since", "until", "times", "probes", "told to"]

app = typer.Typer()
group = typer.Typer(
    help="Look at the catalogue of providers, and at what is paused.", no_args_is_help=True
)
app.add_typer(group, name="providers")
group.add_typer(provider_issuers.app)


@command(group, "refresher providers list", "refresher providers list --category crm", name="list")
def list_(
    category: Annotated[str | None, typer.Option(help="Only those of this category.")] = None,
    connects: Annotated[
        bool, typer.Option("--connects", help="Only those that people can connect to by a consent.")
    ] = False,
    json: Json = False,
) -> None:
    """List all providers: the built-in ones and those of REFRESHER_PROVIDERS_FILE."""
    catalogue = _catalogue()
    found = _of_category(catalogue.providers, category)
    _list(catalogue, [one for one in found if one.connect or not connects], json=json)
    if catalogue.broken:
        wrong = many(len(catalogue.broken), "table is", "tables are")
        note(f"{wrong} wrong: `refresher providers check`.")


@command(group, "refresher providers search zoho", "refresher providers search accounting")
def search(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A name, or some of it.")],
    json: Json = False,
) -> None:
    """Search providers by name, title, category and server, the likeliest first."""
    catalogue = _catalogue()
    found = telling.search(catalogue.providers, text)
    if not found:
        raise CannotDo(
            f'no provider is called anything like "{text}": write an entry of your own in '
            "REFRESHER_PROVIDERS_FILE (docs/providers.md)"
        )
    _list(catalogue, found, json=json)


@command(
    group, "refresher providers show google", "refresher providers show google --json", name="show"
)
def show(name: Name, json: Json = False) -> None:
    """Show what is known of one provider, with sources; a * marks what no source confirms.

    A change that it has announced is told from ninety days ahead. Fields that are as in most entries
    stand in --json only.
    """
    catalogue = _catalogue()
    provider = catalogue[name]
    near = [one.sentence for one in announced([provider], datetime.now(UTC).date())]
    if json:
        emit({**_described(catalogue, provider), "warnings": near})
        return
    for line in _told(provider, catalogue.origin(name)):
        typer.echo(line)
    for subject, known in telling.facts_by_subject(provider).items():
        typer.echo(f"\n{capital(subject)}")
        facts({f"  {name}": _text(seconds_of(name, value)) for name, value in known.items()})
    if sources := telling.sources(provider):
        typer.echo("\n".join(("\nSources", *(f"  {source}" for source in sources))))
    for sentence in near:
        note(sentence)


def _told(provider: Provider, origin: str) -> Iterator[str]:
    """Yields what is said of a provider in sentences, no line longer than the terminal."""
    of = "your providers file" if origin == "file" else "built in"
    yield f"{provider.known_as} ({provider.name}), {of}"
    notes = [provider.notes.replace("\n", " ")] if provider.notes else []
    changes = [f"From {one.on} on: {one.what} ({one.url})" for one in provider.changes]
    connecting = " ".join(telling.connecting(provider))
    for text in (" ".join(telling.in_words(provider)), connecting, *notes, *changes):
        yield from ("", *wrap(text, min(width(), 100)))


def _of_category(providers: Sequence[Provider], category: str | None) -> Sequence[Provider]:
    known = sorted({p.category for p in providers if p.category})
    if category is not None and category not in known:
        raise WrongUse(f'no provider is of category "{category}": there are {", ".join(known)}')
    return [p for p in providers if category in {None, p.category}]


def _list(catalogue: Catalogue, providers: Sequence[Provider], *, json: bool) -> None:
    listing(
        providers,
        COLUMNS,
        lambda provider: _row(catalogue, provider),
        json=json,
        spare=("checked", "from", "strategy", "rotation"),
        described=lambda provider: _described(catalogue, provider),
    )


@command(
    group,
    "refresher providers check",
    "refresher providers check acme google",
    "refresher providers check --all",
    "refresher providers check acme --play",
)
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Remark on the built-in providers, too.")
    ] = False,
    play: Play = False,
    json: Json = False,
) -> None:
    """Check the providers file: what is wrong ends in an error, what deserves a look is listed.

    Looks at the providers named, or at those that your file defines or has an app for. Exits with 1
    where an entry that was played breaks a promise.
    """
    catalogue = _catalogue()
    catalogue.providers  # noqa: B018  reads each
    if wrong := [one.why for one in catalogue.broken if not names or one.provider in names]:
        raise CatalogueError("\n".join(wrong))
    own = [name for name in catalogue.names if catalogue.origin(name) == "file"]
    chosen = names or (list(catalogue.names) if every else own)
    for name in chosen:
        catalogue[name]
    today = datetime.now(UTC).date()
    warnings = [
        *entries.check(catalogue, today, chosen, every_app=not names),
        *entries.check_secrets(catalogue),
    ]
    broken = _played([catalogue[name] for name in chosen]) if play else []
    if json:
        emit({"ok": not broken, "checked": chosen, "warnings": [*broken, *warnings]})
    else:
        for sentence in (*broken, *warnings):
            typer.echo(sentence)
        usable = many(len(broken), "broken promise") if broken else "usable"
        note(f"{len(chosen)} checked and {usable}, {many(len(warnings), 'remark')}.")
    if broken:
        raise typer.Exit(1)


def _played(chosen: list[Provider]) -> list[str]:
    """Returns what is wrong with the entries, seen by a server that behaves as they say."""
    from refresher.testing.proof import prove  # noqa: PLC0415  nothing else needs a server

    return [sentence for entry in chosen for sentence in prove(entry)]


@command(group, "refresher providers pauses")
def pauses(json: Json = False) -> None:
    """List what is left alone for a while: a host, an organization at it, an app, a whole provider."""
    with session.database() as database, database.transaction() as db:
        found = pause_list.held(db)
    listing(found, PAUSE_COLUMNS, _pause_row, json=json, none="Nothing is paused.")


@command(
    group,
    "refresher providers unpause google",
    "refresher providers unpause shopify --host acme.myshopify.com",
    "refresher providers unpause acme --app eu",
)
def unpause(
    name: Name,
    host: Annotated[str | None, typer.Option(help="Only what holds this host.")] = None,
    app_name: Annotated[
        str | None, typer.Option("--app", help="Only what holds this app of ours.")
    ] = None,
    json: Json = False,
) -> None:
    """End a provider's pauses now: what waited for them is tried at once, dead tokens first.

    Forgets the refusals that they follow from as well. If the trouble lasts, the same pauses come back.
    """
    settings = load()
    catalogue_from(settings)[name]
    with session.database(settings) as database, database.transaction() as db:
        ended = pause_list.end(db, Chosen(name, host=host, app_name=app_name))
        audit.note(db, session.actor(), "unpaused", subject=f"provider:{name}")
    if json:
        emit({"ended": [f"{p.scope}:{p.key}" for p in ended]})
        return
    for pause in ended:
        typer.echo(f"{_what(pause)} is not paused any more.")
    if not ended:
        note("Nothing of that is paused.")


def _pause_row(pause: PauseView) -> list[object]:
    until = "now: one probes" if pause.probing else f"in {span(pause.left_seconds)}"
    told = ", ".join(pause.told[-3:]) + (" and others" if len(pause.told) > 3 else "")
    return [
        _what(pause), pause.organization_id or "everybody", pause.reason, distance(pause.since), until,
        pause.refusals, pause.probes, told,
    ]  # fmt: skip


def _what(pause: PauseView) -> str:
    app = f"app {pause.provider}/{pause.app}" if pause.app else pause.provider
    return f"{app} at {pause.host}" if pause.host else app


def _catalogue() -> Catalogue:
    return catalogue_from(load())


def _described(catalogue: Catalogue, provider: Provider) -> dict[str, object]:
    return {
        **describe(provider),
        "cannot_connect": why_not(provider),
        "origin": catalogue.origin(provider.name),
    }


def _row(catalogue: Catalogue, provider: Provider) -> list[object]:
    life = provider.access_token_lifetime_seconds
    return [
        provider.name,
        provider.title,
        provider.category,
        "yes" if provider.connect else None,
        provider.strategy.value,
        provider.rotation.value + (" *" if "rotation" in provider.unsure else ""),
        span(life) if life else None,
        provider.checked_on,
        catalogue.origin(provider.name),
    ]


def _text(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    return value
