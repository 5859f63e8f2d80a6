"""The options of `refresher connections import` about another system's connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from refresher.cli.import_source import Moving
from refresher.cli.output import WrongUse
from refresher.rules.moving import System, Wishes

OF_MOVING = "Only with --from."
FromSystem = Annotated[
    System | None, typer.Option("--from", help="It is another system's: docs/moving-in.md.")
]
Organization = Annotated[str | None, typer.Option(help=f"The organization of all. {OF_MOVING}")]
OrganizationFrom = Annotated[
    str | None,
    typer.Option(metavar="FIELD", help=f"Their field that names it: `tags.team`. {OF_MOVING}"),
]
Providers = Annotated[
    list[str] | None,
    typer.Option(metavar="THEIRS=OURS", help=f"What we call a provider. {OF_MOVING}"),
]
Apps = Annotated[
    list[str] | None,
    typer.Option("--app", metavar="[THEIRS=]OURS", help=f"The app that got them. {OF_MOVING}"),
]
Hosts = Annotated[
    list[str] | None,
    typer.Option(metavar="[THEIRS=]HOST", help=f"A provider's host. {OF_MOVING}"),
]
Table = Annotated[str | None, typer.Option(help=f"Their table, where it is not known. {OF_MOVING}")]


def pairs(option: str, given: Sequence[str] | None, *, bare: bool = True) -> Mapping[str, str]:
    """Returns ours by theirs; what stands alone is for all the rest."""
    found: dict[str, str] = {}
    for one in given or ():
        theirs, sign, ours = one.rpartition("=")
        if not ours or not (sign or bare) or (sign and not theirs):
            raise WrongUse(f'--{option} "{one}" is not of the form THEIRS=OURS')
        found[theirs] = ours
    return found


def moving_of(system: System | None, wishes: Wishes, table: str | None) -> Moving | None:
    """Returns from where and how connections move in, None for our own format."""
    if system is not None:
        if wishes.organization and wishes.organization_from:
            raise WrongUse("give --organization or --organization-from, not both")
        return Moving(system, wishes, table)
    if wishes != Wishes() or table is not None:
        raise WrongUse("these options are about another system's connections: say which by --from")
    return None
