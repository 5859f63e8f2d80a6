"""A deployment as large as wanted, made by SQL: connections of every kind, what happened, who was told.

Ids come from md5 of a number, so that they are spread as ours are and yet known. One organization has a
tenth of all, the others share the rest; a few providers have most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, LiteralString

import psycopg

Db = psycopg.Connection[Any]
CHUNK = 500_000
LARGE, SMALL = "org-large", "org-0001"
ENDPOINT = "00000000-0000-4000-8000-00000000e001"
BUSY = 5
"""The number of the connection to which thousands of things happened."""
# Which n is what: mod by a prime each, so that they are spread.
MADE = """
    create temp table made as
    select n, md5(n::text)::uuid as id, md5(root::text)::uuid as root_id, root <> n as is_sibling,
        case when root %% 10 = 0 then 'org-large' else 'org-' || lpad((root %% 999)::text, 4, '0') end
            as organization_id,
        (%(providers)s::text[])[1 + floor(cardinality(%(providers)s::text[])
            * power((hashint8(root) & 65535) / 65536.0, 2))::int] as provider,
        case n %% 3 when 0 then '1180' || lpad(n::text, 9, '0') when 1 then 'acct_' || md5('a' || n)
            else 'user' || n || '@example.com' end as external_id,
        case when n %% 5 < 3 then (array['Support inbox', 'Sales pipeline', 'Ledger', 'Front desk',
            'Newsletter'])[1 + n %% 5] || ' ' || n end as name,
        case when root <> n then 'fresh'
            when n %% 83 = 0 then 'reconnect' when n %% 1009 = 0 then 'blocked'
            when n %% 127 = 0 then 'paused' when n %% 211 = 0 then 'disabled'
            when n %% 53 = 0 then 'deleted' when n %% 5003 = 0 then 'connecting'
            when n %% 1013 = 0 then 'retrying' when n %% 701 = 0 then 'waiting'
            when n %% 20011 = 0 then 'refreshing' when n %% 50021 = 0 then 'late'
            when n %% 99991 = 0 then 'expired' else 'fresh' end as kind,
        now() + interval '2 hours' + random() * interval '24 hours' as due_at
    from generate_series(%(first)s::bigint, %(last)s::bigint) n,
        lateral (select case when n %% 33 = 0 then n - 1 else n end as root) r
    """
CONNECTIONS = """
    insert into connection (id, organization_id, provider, external_id, name, root_id, access_token,
        refresh_token, credential_version, expires_at, lifetime_seconds, scopes, granted_scopes, status,
        status_cause, in_between_steps, paused_at, disabled_at, deleted_at, created_at)
    select id, organization_id, provider, external_id, name, case when is_sibling then root_id end,
        case when not is_sibling then decode(repeat('ab', 153), 'hex') end,
        case when not is_sibling then decode(repeat('cd', 97), 'hex') end, 1 + n % 50,
        case when kind in ('expired', 'reconnect') then now() - interval '5 minutes'
            when not is_sibling then due_at + interval '12 minutes' end,
        3600, '{read,write}', '{read}',
        case when kind = 'reconnect' then 'reconnect_required' else 'active' end,
        case when kind = 'reconnect' then 'invalid_grant' end, kind = 'connecting',
        case when kind = 'paused' then now() - interval '3 days' end,
        case when kind = 'disabled' then now() - interval '4 days' end,
        case when kind = 'deleted' then now() - interval '5 days' end, now() - interval '90 days'
    from made
    """
SCHEDULE = """
    insert into refresh_schedule (connection_id, provider, state, due_at, parked_reason, attempt,
        postponed_by, waits_for, lease_token, lease_until, claimed_at)
    select id, provider,
        case when kind = 'refreshing' then 1 when parked is not null then 2 else 0 end,
        case when kind in ('late', 'expired') then now() - (1 + n % 7) * interval '1 minute'
            else due_at end,
        parked, case when kind = 'retrying' then 1 + n % 5 else 0 end,
        case when kind = 'waiting' then 'app:' || provider || '/default' end,
        case when kind = 'waiting' then 'app:' || provider || '/default' end, n % 90,
        case when kind = 'refreshing' then now() + interval '10 minutes' end,
        case when kind = 'refreshing' then now() end
    from made, lateral (select case kind when 'reconnect' then 'reconnect_required'
        when 'blocked' then (array['app_not_configured', 'crash_loop', 'unread_answer'])[1 + n % 3]
        when 'connecting' then 'mid_oauth' when 'paused' then kind when 'disabled' then kind
        when 'deleted' then kind end as parked) p
    where not is_sibling
    """
EVENTS = """
    insert into refresh_event (connection_id, occurred_at, kind, lease_token, credential_version,
        attempt, http_status, elapsed_seconds, lateness_seconds, reason, claimed_at, begun_at,
        exchange_seconds, state, failures)
    select id, at, case when kind = 'retrying' then 'transient' else 'refreshed' end, n % 90, 1, 0,
        case when kind = 'retrying' then 503 else 200 end, 0.3, 0.1,
        case when kind = 'retrying' then 'HTTP 503' end, at - interval '0.4 s', at - interval '0.3 s',
        0.2, 0, 0
    from made, generate_series(1, 2) again,
        lateral (select now() - random() * interval '6 hours' as at) t
    where kind = 'retrying' or n % 10 = 5
    """
BUSY_EVENTS = """
    insert into refresh_event (connection_id, occurred_at, kind, lease_token, attempt, http_status,
        elapsed_seconds, lateness_seconds, state, failures)
    select md5('5')::uuid, now() - (5000 - k) * interval '1 s', 'refreshed', k, 0, 200, 0.3, 0.1, 0, 0
    from generate_series(1, 5000) k
    """
# Whoever is told, and who did what, as a share of all.
AROUND = """
    insert into organization (id, name) select 'org-' || lpad(n::text, 4, '0'), 'Organization ' || n
        from generate_series(0, 998) n union all select 'org-large', 'Large';
    insert into recipient (id, organization_id, address)
        select gen_random_uuid(), o.id, 'ann' || k || '@' || o.id || '.example'
        from organization o, generate_series(1, 5) k;
    insert into app (id, provider, name, client_id, client_secret)
        select gen_random_uuid(), p, 'default', 'client-' || p, decode(repeat('ef', 60), 'hex')
        from (select distinct provider as p from refresh_schedule where provider is not null) used;
    insert into pause (scope, key, provider, until, refusals, reason, sort)
        select 'app', provider || '/default', provider, now() + interval '1 hour', 1, 'invalid_client',
            'refused' from app order by provider limit 3;
    insert into audit (occurred_at, key_id, action, organization_id, connection_id)
        select now() - n * interval '1 s', 'key' || n % 20, 'refreshed',
            'org-' || lpad((n % 999)::text, 4, '0'), md5(n::text)::uuid
        from generate_series(1, {audit}) n;
    insert into webhook_endpoint (id, organization_id, url, events, secret, disabled_at,
            disabled_reason)
        select case n when 1 then '00000000-0000-4000-8000-00000000e001'::uuid
            else gen_random_uuid() end, case when n > 1 then 'org-' || lpad(n::text, 4, '0') end,
            'https://hooks.example/' || n, '{{*}}', decode(repeat('ab', 60), 'hex'),
            case when n = 1 then now() end, case when n = 1 then 'it answered 410' end
        from generate_series(1, 500) n;
    create temp table told as select md5('o' || n)::uuid as id, md5(n::text)::uuid as connection_id, n
        from generate_series(1, {told}) n;
    insert into outbox (id, organization_id, connection_id, sequence, kind, payload, occurred_at)
        select id, 'org-' || lpad((n % 999)::text, 4, '0'), connection_id, 1,
            'connection.reconnect_required', '{{}}', now() - n * interval '1 s' from told;
    insert into webhook_delivery (endpoint_id, event_id, subject, sequence, state, ended_at,
            http_status)
        select '00000000-0000-4000-8000-00000000e001'::uuid, id, connection_id::text, 1,
            case when n % 20 = 0 then 4 when n % 7 = 0 then 2 else 3 end,
            case when n % 20 = 0 or n % 7 <> 0 then now() end, 200 from told;
    insert into look_sample (at, refreshed_per_second, failed_per_second, lateness_p50_seconds,
        lateness_p99_seconds, late, leased, due, providers)
        select now() - n * interval '15 s', 100 + n % 20, n % 3, 0.1, 0.4, 0, 100,
            case when n % 4 = 0 then array_fill(1200, array[60]) end,
            '{{"google": [100, 1, 0.2, 0.9]}}' from generate_series(1, 11520) n;
    insert into bulk_job (made_by, deed, selection, as_of, most, state, total, done, ended_at)
        select 'by cli:bench', 'pause', '{{}}', now(), 100, 'done', 100, 100, now()
        from generate_series(1, 100);
    drop table told
"""


def fill(db: Db, number: int, providers: Sequence[str], told: Callable[[str], None]) -> None:
    """Fills an empty, migrated database with so many connections; `db` commits each statement."""
    db.execute("set session_replication_role = replica")
    db.execute("set synchronous_commit = off")
    db.execute("set maintenance_work_mem = '1GB'")
    db.execute("select setseed(0.5)")
    later = _without_indexes(db) if number > CHUNK else []
    for first in range(1, number + 1, CHUNK):
        last = min(first + CHUNK - 1, number)
        psycopg.ClientCursor(db).execute(
            MADE, {"providers": list(providers), "first": first, "last": last}
        )
        for statement in (CONNECTIONS, SCHEDULE, EVENTS, "drop table made"):
            db.execute(statement.encode())
        told(f"{last:,} connections")
    for definition in later:
        db.execute(definition.encode())
        told(definition.partition(" ON ")[0].lower())
    db.execute(BUSY_EVENTS)
    share = min(number // 20, 500_000)
    db.execute(AROUND.format(audit=share, told=min(share, 200_000)).encode())
    told("what stands around them")
    db.execute("vacuum analyze")


def id_of(db: Db, condition: LiteralString) -> str:
    """Returns the id of some connection with a schedule row `s` like this."""
    row = db.execute(
        f"select c.id from refresh_schedule s join connection c on c.id = s.connection_id "
        f"where {condition} limit 1"
    ).fetchone()
    assert row is not None, condition
    return str(row[0])


def _without_indexes(db: Db) -> list[str]:
    """Drops the indexes that no constraint needs; returns what makes them again."""
    found = db.execute(
        "select x.indexname, x.indexdef from pg_indexes x where x.tablename in "
        "('connection', 'refresh_schedule') and not exists (select 1 from pg_constraint c "
        "where c.conindid = x.indexname::regclass)"
    ).fetchall()
    for name, _ in found:
        db.execute(f"drop index {name}".encode())
    return [definition for _, definition in found]
