"""Writes what was told of connections without tokens: nothing that concerns the grant, and no event."""

from __future__ import annotations

from collections.abc import Sequence

from refresher.store.registration import Prepared, stage
from refresher.store.session import Db, run

_UPDATE = """
    update connection c set
        name = coalesce(i.name, c.name), app_name = coalesce(i.app_name, c.app_name),
        host = coalesce(i.host, c.host),
        placeholders = case when i.placeholders is null then c.placeholders
                            else coalesce(c.placeholders, '{}') || i.placeholders end,
        scopes = coalesce(i.scopes, c.scopes), metadata = coalesce(i.metadata, c.metadata),
        in_between_steps = coalesce(i.in_between_steps, c.in_between_steps),
        updated_at = refresher_now()
    from intake i where c.id = i.id returning c.id
    """
_DANCE_BEGINS = """
    update refresh_schedule s set state = 2, parked_reason = 'mid_oauth'
    from intake i where s.connection_id = i.id and i.in_between_steps and s.state = 0
    """
_DANCE_ENDS = """
    update refresh_schedule s set state = 0, due_at = refresher_now(), parked_reason = null,
        lease_token = s.lease_token + 1
    from intake i where s.connection_id = i.id and not i.in_between_steps and s.state = 2
      and s.parked_reason = 'mid_oauth'
    """


def update(db: Db, rows: Sequence[Prepared]) -> int:
    """Stores what was told; returns of how many connections.

    Only `in_between_steps` moves the schedule: true parks an idle row, false makes one due that waits
    for the end of the OAuth dance.
    """
    run(db, "drop table if exists intake")  # that of the reconnects beside
    stage(db, rows)
    updated = len(run(db, _UPDATE).all())
    run(db, _DANCE_BEGINS)
    run(db, _DANCE_ENDS)
    return updated
