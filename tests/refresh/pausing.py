"""Puts a pause into the table, as trouble would, for tests of what is shown of it."""

from sqlalchemy import Connection as Db
from sqlalchemy import text


def hold(
    db: Db,
    scope: str,
    key: str,
    *,
    sort: str,
    reason: str = "x",
    seconds: float = 60,
    refusals: int = 1,
) -> None:
    """Has a provider or an app (`acme/default`, whatever host) left alone; `key` may name a tenant."""
    whole, _, organization_id = key.partition("#")
    name, _, host = whole.partition("@")
    provider, _, app_name = name.partition("/")
    statement = text(
        """
        insert into pause (scope, key, sort, provider, app_name, host, organization_id, until, again_at,
                           refusals, reason, failures, witnesses)
        values (:scope, :key, :sort, :provider, nullif(:app_name, ''), nullif(:host, ''),
                nullif(:organization_id, ''), refresher_now() + :seconds * interval '1 second',
                refresher_now() + :seconds * interval '1 second',
                :refusals, :reason, 2,
                '[{"grant": "g1", "organization_id": "org", "host": null}]')
        on conflict (scope, key, sort) do update set until = excluded.until,
            refusals = excluded.refusals, reason = excluded.reason, witnesses = excluded.witnesses
        """
    )
    values = {
        "scope": scope, "key": key, "sort": sort, "provider": provider, "app_name": app_name,
        "host": host, "organization_id": organization_id, "seconds": seconds, "refusals": refusals,
        "reason": reason,
    }  # fmt: skip
    db.execute(statement, values)
