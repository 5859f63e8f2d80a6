"""Puts the command line together: every command's module adds its own commands in `register`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from refresher.cli import (
    answers,
    apps,
    connections,
    doctor,
    encryption,
    events,
    explaining,
    inspecting,
    keys,
    migrate,
    organizations,
    providers,
    recipients,
    replaying,
    restoring,
    spool,
    token,
    top,
    webhooks,
)
from refresher.cli import settings as settings_command
from refresher.cli.group import RootGroup
from refresher.cli.output import CONTEXT


def build() -> typer.Typer:
    """Returns the whole application; nothing is read or connected yet."""
    app = typer.Typer(
        cls=RootGroup,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        # A traceback with local variables would show tokens.
        pretty_exceptions_enable=False,
        context_settings=CONTEXT,
    )
    app.callback()(_root)
    if find_spec("refresher.cli.demo"):
        from refresher.cli import demo

        demo.register(app)
    for module in (migrate, doctor, settings_command, providers, apps, encryption, keys):
        module.register(app)
    for module in (connections, token, events, inspecting, explaining, replaying, top):
        module.register(app)
    for module in (answers, recipients, organizations, webhooks, spool, restoring):
        module.register(app)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from refresher import __version__

        typer.echo(f"refresher {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep every stored OAuth connection's access token fresh.

    Settings come from the environment: `refresher settings` shows them, `refresher doctor` says what
    is wrong with them and how to mend it.
    """
