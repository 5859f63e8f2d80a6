"""`refresher providers`: what the catalogue knows, and what deserves a look in it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from refresher import catalogue as entries
from refresher.catalogue import Catalogue, describe
from refresher.cli import pausing
from refresher.cli.opening import read_settings
from refresher.cli.output import (
    CONTEXT,
    Json,
    emit,
    examples,
    facts,
    many,
    note,
    seconds_of,
    span,
    table,
)
from refresher.rules.providers import Provider
from refresher.runtime.services import catalogue_from

Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider, such as google.")]


def register(app: typer.Typer) -> None:
    """Adds `providers` with its commands."""
    group = typer.Typer(
        help="Look at the catalogue of providers, and at what is paused.", no_args_is_help=True
    )
    group.command("list", epilog=examples("refresher providers list"))(list_)
    group.command("show", epilog=examples("refresher providers show google"))(show)
    epilog = examples(
        "refresher providers check",
        "refresher providers check acme google",
        "refresher providers check --all",
    )
    group.command("check", epilog=epilog)(check)
    pausing.register(group)
    app.add_typer(group, name="providers", context_settings=CONTEXT)


def list_(json: Json = False) -> None:
    """List all providers: the built-in ones and those of REFRESHER_PROVIDERS_FILE."""
    catalogue = _catalogue()
    if json:
        for provider in catalogue.providers:
            emit(_described(catalogue, provider))
        return
    columns = ["provider", "title", "strategy", "rotation", "access token lives", "checked", "from"]
    rows = [_row(catalogue, provider) for provider in catalogue.providers]
    table(columns, rows, spare=("checked", "title", "rotation"))


def show(name: Name, json: Json = False) -> None:
    """Show all that is known of one provider, with sources; a * marks what no source confirms."""
    catalogue = _catalogue()
    provider = catalogue[name]
    described = _described(catalogue, provider)
    if json:
        emit(described)
        return
    known = {k: v for k, v in described.items() if v not in (None, "", [], {}) and k != "unsure"}
    facts(
        {f"{k} *" if k in provider.unsure else k: _text(seconds_of(k, v)) for k, v in known.items()}
    )


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Remark on the built-in providers, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Check the providers file: what is wrong ends in an error, what deserves a look is listed.

    Looks at the providers named, or at those that your file defines or has an app for.
    """
    catalogue = _catalogue()
    own = [name for name in catalogue.names if catalogue.origin(name) == "file"]
    chosen = names or (list(catalogue.names) if every else own)
    for name in chosen:
        catalogue[name]
    today = datetime.now(UTC).date()
    warnings = [
        *entries.check(catalogue, today, chosen, every_app=not names),
        *entries.check_secrets(catalogue),
    ]
    if json:
        emit({"ok": True, "checked": chosen, "warnings": warnings})
        return
    for warning in warnings:
        typer.echo(warning)
    note(f"{len(chosen)} checked and usable, {many(len(warnings), 'remark')}.")


def _catalogue() -> Catalogue:
    return catalogue_from(read_settings())


def _described(catalogue: Catalogue, provider: Provider) -> dict[str, object]:
    return {**describe(provider), "origin": catalogue.origin(provider.name)}


def _row(catalogue: Catalogue, provider: Provider) -> list[object]:
    life = provider.access_token_lifetime_seconds
    return [
        provider.name,
        provider.title,
        provider.strategy.value,
        provider.rotation.value,
        span(life) if life else None,
        provider.checked_on,
        catalogue.origin(provider.name),
    ]


def _text(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    return value
