"""`refresher connect sessions`, and the links with which somebody else connects an account again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli import session, working
from refresher.cli.arguments import Id, find, read_span
from refresher.cli.output import Json, command, distance, done, instant, listing, note
from refresher.cli.progress import progress
from refresher.connections import connect as consent
from refresher.connections import learning
from refresher.connections.connect import Order
from refresher.connections.learning import Learned
from refresher.rules.connect import Flow, State
from refresher.rules.connect_view import SessionView, view
from refresher.store.connect import SessionFilter

COLUMNS = ["id", "state", "provider", "external id", "tries", "problem", "made", "by", "ends"]
SPARE = ("by", "made", "tries")
"""What a narrow terminal can do without, the first first."""

app = typer.Typer()
group = typer.Typer(help="Look at connect sessions, and cancel them.", no_args_is_help=True)
app.add_typer(group, name="connect sessions")
links = typer.Typer()
"""What stands among `refresher connections`."""


@command(
    group,
    "refresher connect sessions list --state open",
    "refresher connect sessions list --organization acme --json",
    name="list",
)
def list_(
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those that stand so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest.")] = 50,
    json: Json = False,
) -> None:
    """List connect sessions, the newest first, those of the last 30 days; never their links."""
    chosen = SessionFilter(organization_id=organization, provider=provider, state=state)
    with working.services() as services:
        found = consent.listed(services, chosen, session.actor(), limit=limit)
    none = "No account is being connected, and none was lately: `refresher connect PROVIDER`."
    seen = [view(one) for one in found]
    listing(seen, COLUMNS, _row, json=json, spare=SPARE, none=none)


@command(group, "refresher connect sessions cancel 0197b1a4-6f1c-7d3e-9d55-0a8f6c2b7e11")
def cancel(
    session_id: Annotated[UUID, typer.Argument(help="The session's id, as `list` shows it.")],
    json: Json = False,
) -> None:
    """End a connect session: its link leads nowhere from then on. One that has ended stays so."""
    with working.services() as services:
        seen = view(consent.cancel(services, session_id, session.actor()))
    done(seen, f"{seen.id} has ended: {seen.outcome}.", json=json)


@command(
    links,
    "refresher connections reconnect-link 7b0d2a4e",
    "refresher connections reconnect-link 7b0d2a4e --expires-in 2d --json | jq -r .url",
)
def reconnect_link(
    connection: Id,
    scope: Annotated[list[str] | None, typer.Option(help="Ask for this too; repeat it.")] = None,
    expires_in: Annotated[str, typer.Option(help="Such as 30min, 2h or 7d.")] = "7d",
    json: Json = False,
) -> None:
    """Print a link with which somebody connects the same account again, once, in a browser.

    Whoever has it can do that, so hand it on as you would a password: to the person whose account it
    is. Another account changes nothing. `refresher connect sessions cancel ID` withdraws it.
    """
    seconds = read_span("--expires-in", expires_in)
    with working.services() as services:
        found = find(services.database, connection)
        order = Order(
            connection_id=found,
            scopes=tuple(scope or ()),
            flow=Flow.LINK,
            expires_in_seconds=seconds,
        )
        made = consent.make(services, order, session.actor())
    done({**asdict(view(made.session)), "url": made.url}, made.url, json=json)
    note(f"It ends at {instant(made.session.expires_at)}, or when it was used.")


@command(
    links,
    "refresher connections learn-accounts",
    "refresher connections learn-accounts --provider google --json",
)
def learn_accounts(
    provider: Annotated[list[str] | None, typer.Option(help="Only this one's; repeat it.")] = None,
    organization: Annotated[str | None, typer.Option(help="Only this organization's.")] = None,
    json: Json = False,
) -> None:
    """Ask the providers whose accounts the connections are of that no consent here has made.

    So that a reconnect can tell another account from the right one. Each is asked once, while its token
    lives; nothing but the account is written, and nothing is refreshed.
    """
    so_far = Learned()
    with working.services() as services:
        for name in provider or ():
            _ = services.catalogue[name]
        asked = learning.learn_accounts(
            services, session.actor(), organization_id=organization, providers=provider
        )
        with progress(lambda: None) as show:
            for so_far in asked:
                show(so_far.learned + so_far.untold, f"{so_far.learned:,} learned")
    untold = f"; nobody told of {so_far.untold:,}" if so_far.untold else ""
    done(so_far, f"Accounts learned: {so_far.learned:,}{untold}.", json=json)


def _row(seen: SessionView) -> list[object]:
    problem = seen.problem.code if seen.problem else None
    state = seen.outcome or seen.state
    ends = distance(seen.expires_at) if seen.ended_at is None else None
    by = seen.made_by.removeprefix("by ")
    who = seen.external_id
    made = distance(seen.created_at)
    return [seen.id, state, seen.provider, who, seen.attempts, problem, made, by, ends]
