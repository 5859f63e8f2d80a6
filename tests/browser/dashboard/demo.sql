-- The world that pictures and the tests of access are taken of, written straight into the tables, at the
-- instant that the clock stands at. What is imported as people import it, demo.py imports before.

-- Many that are like those that were imported: each is a copy under another name.
create temporary table crowd on commit drop as
select c.id as model, n, c.provider,
    md5('crowd ' || c.provider || n)::uuid as id,
    (hashint4(n * 7919 + length(c.provider)) & 8191) / 8192.0 as dice
from (values ('118044210377', 620), ('44870001', 300), ('ms-0001', 160), ('00D5g000004bXyE', 40),
             ('t_9f21c0de77', 36), ('9130357712004826', 66), ('882913004512', 30)) v(external_id, many)
join connection c using (external_id) cross join lateral generate_series(1, v.many) n;

insert into connection
select made.* from crowd w join connection c on c.id = w.model
cross join lateral jsonb_populate_record(null::connection, to_jsonb(c) || jsonb_build_object(
    'id', w.id, 'external_id', (500000000 + w.n * 7919 % 400000000)::text, 'name', null,
    'organization_id', 'org-' || (2041 + w.n % 90), 'metadata', '{}'::jsonb,
    'access_token', c.access_token, 'refresh_token', c.refresh_token,
    'expires_at', refresher_now() + (720 + 2800 * w.dice) * interval '1 second')) made;

insert into refresh_schedule (connection_id, provider, state, due_at, lease_token)
select w.id, w.provider, 0, refresher_now() + (5 + 2800 * w.dice) * interval '1 second', 40 + w.n % 17
from crowd w;

-- Under way at this moment.
update refresh_schedule set state = 1, claimed_at = refresher_now() - interval '0.3 seconds',
    begun_at = refresher_now() - interval '0.2 seconds', begun_token = lease_token,
    lease_until = refresher_now() + interval '5 minutes'
where connection_id in (select id from crowd where dice < 0.012 and provider in ('google', 'hubspot'))
   or connection_id = (select id from connection where external_id = '118044210912');

-- Grants that the provider ended: 31 at HubSpot, 7 at others.
create temporary table dead on commit drop as
select id from crowd where provider = 'hubspot' and n <= 29
union all select id from crowd where provider = 'google' and n <= 4
union all select id from crowd where provider = 'salesforce' and n <= 3
union all select id from connection where external_id in ('44871902', '44871377');
update connection set status = 'reconnect_required', status_cause = 'invalid_grant', trouble = 'reconnect_required',
    expires_at = refresher_now() - interval '2 hours 2 minutes', credential_version = 3317
where id in (select id from dead);
update refresh_schedule set state = 2, parked_reason = 'reconnect_required', due_at = null, lease_token = 3318
where connection_id in (select id from dead);

-- What waits: for the app that is refused, for Xero's wait, for the end of Zoho's trouble.
update refresh_schedule s set postponed_by = 'app:quickbooks/default', waits_for = 'app:quickbooks/default',
    due_at = refresher_now() + interval '2 minutes' + (hashint4(lease_token::int) & 31) * interval '1 second'
from connection c where c.id = s.connection_id and c.provider = 'quickbooks';
update connection set expires_at = refresher_now() + interval '4 minutes 3 seconds' where external_id = '9130357712004826';
update refresh_schedule s set postponed_by = 'provider:xero', waits_for = 'provider:xero',
    due_at = refresher_now() + interval '41 seconds'
from connection c where c.id = s.connection_id and c.provider = 'xero' and c.external_id = 't_9f21c0de77';
update refresh_schedule s set attempt = 2, due_at = refresher_now() + interval '82 seconds'
from connection c where c.id = s.connection_id and c.external_id = '882913004512';
insert into pause (scope, key, sort, provider, app_name, since, until, again_at, refusals, reason, failures, probes)
values ('app', 'quickbooks/default', 'refused', 'quickbooks', 'default', refresher_now() - interval '8 minutes',
        refresher_now() + interval '2 minutes', refresher_now() + interval '2 minutes', 3, 'invalid_client', 3, 2),
       ('provider', 'zoho', 'silent', 'zoho', null, refresher_now() - interval '3 minutes',
        refresher_now() + interval '24 seconds', refresher_now(), 1, 'status 503', 20, 1),
       ('provider', 'xero', 'limited', 'xero', null, refresher_now() - interval '19 seconds',
        refresher_now() + interval '41 seconds', refresher_now(), 1, 'status 429', 2, 0);

-- One that people paused, one that no app is stored for.
update connection set paused_at = refresher_now() - interval '3 days' where external_id = 'urn:4410078';
update refresh_schedule s set state = 2, parked_reason = 'paused', due_at = null
from connection c where c.id = s.connection_id and c.external_id = 'urn:4410078';
update refresh_schedule s set state = 2, parked_reason = 'app_not_configured', due_at = null
from connection c where c.id = s.connection_id and c.external_id = 'T04KQ1TR2';

-- The two whose pages are looked at: minutes ago, kind, milliseconds waited, at the provider, stored.
create temporary table told on commit drop as
select c.id, v.* from (values
    ('118044210377', 1197, 316.42, 'refreshed', 17, 183, 5, 0.3, 200, null, 0),
    ('118044210377', 1198, 268.42, 'refreshed', 20, 192, 6, 0.5, 200, null, 0),
    ('118044210377', null, 221.91, 'paused', null, null, null, null, null, 'by API key :billing', 0),
    ('118044210377', null, 220.43, 'resumed', null, null, null, null, null, 'by API key :laptop', 0),
    ('118044210377', 1199, 220.42, 'refreshed', 20, 190, 6, 0.7, 200, null, 0),
    ('118044210377', 1200, 172.42, 'refreshed', 16, 177, 5, 0.2, 200, null, 0),
    ('118044210377', 1201, 124.43, 'transient', 19, 1620, 6, 0.3, 503, 'status 503', 1),
    ('118044210377', 1202, 122.42, 'refreshed', 24, 238, 7, 0.3, 200, null, 0),
    ('118044210377', 1203, 74.4, 'refreshed', 18, 201, 5, 0.3, 200, null, 0),
    ('118044210377', 1204, 26.42, 'refreshed', 21, 184, 6, 0.4, 200, null, 0),
    ('44871902', 3314, 224.26, 'refreshed', 17, 248, 6, 0.5, 200, null, 0),
    ('44871902', 3315, 200.28, 'refreshed', 21, 270, 5, 0.4, 200, null, 0),
    ('44871902', 3316, 176.28, 'refreshed', 18, 251, 6, 0.3, 200, null, 0),
    ('44871902', 3317, 152.31, 'refreshed', 19, 264, 6, 0.4, 200, null, 0),
    ('44871902', 3318, 128.3, 'revoked', 22, 311, 8, 0.6, 400, 'invalid_grant', 0)
) v(external_id, attempt, ago, kind, waited, out, stored, late, http, reason, failures)
join connection c using (external_id);
insert into refresh_event (connection_id, occurred_at, kind, lease_token, http_status, lateness_seconds, reason,
    claimed_at, begun_at, elapsed_seconds, exchange_seconds, failures, state, parked_reason, next_due_at,
    stored_version, grant_number, status, status_cause, expires_at, lifetime_seconds, in_between_steps)
select t.id, at.done, t.kind, t.attempt, t.http, t.late, t.reason,
    at.done - (t.waited + t.out + t.stored) * interval '1 millisecond',
    at.done - (t.out + t.stored) * interval '1 millisecond', t.out / 1000.0, t.out / 1000.0, t.failures,
    case when t.kind in ('revoked', 'paused') then 2 else 0 end,
    case t.kind when 'revoked' then 'reconnect_required' when 'paused' then 'paused' end,
    case t.kind when 'transient' then at.done + interval '2 minutes' when 'refreshed' then at.done + interval '48 minutes' end,
    coalesce(t.attempt, 1198), 1, case t.kind when 'revoked' then 'reconnect_required' else 'active' end,
    case t.kind when 'revoked' then 'invalid_grant' end, at.done + interval '1 hour', 3599, false
from told t cross join lateral (select refresher_now() - t.ago * interval '1 minute' as done) at
order by t.external_id, t.ago desc;
update connection set credential_version = 1168, grant_number = 2, created_at = refresher_now() - interval '322 days',
    expires_at = refresher_now() - 26.43 * interval '1 minute' + interval '3599 seconds', lifetime_seconds = 3599,
    refresh_token_expires_at = refresher_now() + interval '180 days', metadata = '{"team": 7}'
where external_id = '118044210377';
update refresh_schedule s set due_at = refresher_now() + :due_in * interval '1 second', lease_token = 1204
from connection c where c.id = s.connection_id and c.external_id = '118044210377';
update connection set created_at = refresher_now() - interval '288 days'
where external_id <> '118044210377' and id not in (select id from crowd);

-- The last minute of everybody else, and what was failed in it.
insert into refresh_event (connection_id, occurred_at, kind, lease_token, http_status, lateness_seconds, claimed_at,
    begun_at, elapsed_seconds, exchange_seconds, state, stored_version, grant_number, status)
select w.id, refresher_now() - w.dice * interval '58 seconds',
    case when w.n % 190 = 0 then 'transient' else 'refreshed' end, 40,
    case when w.n % 190 = 0 then 503 else 200 end, 0.3 + w.dice * w.dice * w.dice * 1.8,
    refresher_now() - w.dice * interval '58 seconds' - interval '0.25 seconds',
    refresher_now() - w.dice * interval '58 seconds' - interval '0.22 seconds', 0.2, 0.2, 0, 40, 1, 'active'
from crowd w where w.provider in ('google', 'hubspot', 'microsoft', 'salesforce')
order by w.dice desc;

-- The last six hours, as every scheduler notes them.
insert into look_sample (at, refreshed_per_second, failed_per_second, lateness_p50_seconds, lateness_p99_seconds,
    late, leased, due, providers)
select to_timestamp(floor(extract(epoch from refresher_now())::float8 / 15) * 15 - n * 15),
    case when n between 280 and 300 then 4.2 when n between 255 and 279 then 17.8
        else 13 + 2.2 * sin(n / 180.0) + 0.8 * sin(n / 9.0) end,
    0.02 + 0.02 * (hashint4(n) & 3),
    0.4 + 0.1 * sin(n / 7.0), case when n between 262 and 284 then 3 + 11 * sin((n - 262) * 3.1416 / 22)
        else 1.6 + 0.7 * sin(n / 5.0) * sin(n / 31.0) end,
    0, 14, case when n % 4 = 0 then (select array_agg(850 + (hashint4(m * 31) & 127) order by m) from generate_series(0, 59) m) end,
    jsonb_build_object(
        'google', jsonb_build_array(110 + 12 * sin(n / 60.0), 0.1, 0.184, 0.42),
        'hubspot', jsonb_build_array(52 + 6 * sin(n / 50.0), 0.2, 0.264, 0.51),
        'microsoft', jsonb_build_array(28 + 3 * sin(n / 40.0), 0.1, 0.21, 0.6),
        'salesforce', jsonb_build_array(6 + sin(n / 30.0), 0, 0.33, 0.8),
        'quickbooks', jsonb_build_array(case when n < 32 then 0 else 9 end, case when n < 32 then 0.6 else 0 end, 0.4, 1.1),
        'zoho', jsonb_build_array(case when n < 12 then 0 else 5 end, case when n < 12 then 1.2 else 0.02 end, 0.5, 2.2),
        'xero', jsonb_build_array(4, case when n < 2 then 0.4 else 0 end, 0.3, 0.7))
from generate_series(1, 1440) n;

-- Who is told: two recipients, an endpoint that takes messages, one that is disabled.
insert into recipient (id, organization_id, address)
select md5('recipient ' || n)::uuid, 'org-' || (2041 + n), 'owner' || n || '@org-' || (2041 + n) || '.example'
from generate_series(0, 25) n;
insert into recipient (id, organization_id, address, blocked_at, blocked_reason)
values (md5('recipient blocked')::uuid, 'org-2077', 'gone@org-2077.example', refresher_now() - interval '6 days', 'no such address');
insert into organization (id, name, reconnect_url) values ('org-2041', 'Acme Ltd', 'https://app.acme.example/integrations');
insert into webhook_endpoint (id, organization_id, url, description, events, secret, disabled_at, disabled_reason, delivered_at)
values (md5('endpoint org')::uuid, null, 'https://hooks.example.org/refresher', 'CRM', '{connection.*}', '\x00', null, null, refresher_now() - interval '2 minutes'),
       (md5('endpoint net')::uuid, null, 'https://hooks.example.net/oauth', 'Reporting', '{*}', '\x00', refresher_now() - interval '1 day', 'it answered 410', refresher_now() - interval '2 days');
insert into outbox (id, organization_id, connection_id, sequence, kind, payload, occurred_at)
select md5('notice ' || d.id)::uuid, c.organization_id, c.id, 1, 'connection.reconnect_required',
    jsonb_build_object('connection_id', c.id, 'provider', c.provider), refresher_now() - interval '128 minutes'
from dead d join connection c on c.id = d.id;
insert into outbox (id, organization_id, connection_id, sequence, kind, payload, occurred_at)
select md5('recovered ' || w.id)::uuid, 'org-2041', w.id, 1, 'connection.recovered', '{}', refresher_now() - interval '1 day'
from crowd w where w.provider = 'google' and w.n between 100 and 179;
insert into webhook_delivery (endpoint_id, event_id, subject, sequence, state, attempt, http_status, reason, ended_at, elapsed_seconds)
select md5('endpoint org')::uuid, o.id, o.connection_id::text, 1, 3, 1, 204, null, o.occurred_at + interval '1 second', 0.11 from outbox o
union all
select md5('endpoint net')::uuid, o.id, o.connection_id::text, 1, 2, 0, 410, 'status 410', null, 0.2 from outbox o;
insert into mail (id, recipient_id, form, state, due_at, ended_at, created_at)
select md5('mail')::uuid, md5('recipient 0')::uuid, 'plain', 2, refresher_now() - interval '127 minutes',
    refresher_now() - interval '127 minutes', refresher_now() - interval '127 minutes';
insert into mail_entry (recipient_id, outbox_id, mail_id, delivered_at)
select md5('recipient 0')::uuid, md5('notice ' || c.id)::uuid, md5('mail')::uuid, refresher_now() - interval '127 minutes'
from connection c where c.external_id in ('44871902', '44871377');

-- Nothing of it was made at this very moment, and nothing is a test's.
delete from app where provider in ('acme', 'paced');
update app set created_at = refresher_now() - interval '210 days', updated_at = refresher_now() - interval '34 days';
delete from api_key where name = 'test';
update api_key set created_at = refresher_now() - interval '150 days',
    last_used_at = case when name = 'ops-laptop' then null else refresher_now() - interval '2 hours' end;
delete from audit;
update connection set updated_at = created_at where id not in (select id from crowd);
update connection c set created_at = refresher_now() - (20 + w.n % 300) * interval '1 day',
    updated_at = refresher_now() - (1 + w.n % 300) * interval '7 hours'
from crowd w where w.id = c.id;
update webhook_endpoint set created_at = refresher_now() - interval '90 days';
update recipient set created_at = refresher_now() - interval '80 days';

-- Who did what.
insert into audit (key_id, action, organization_id, connection_id, occurred_at, count)
select v.key_id, v.action, 'org-2041', c.id, refresher_now() - v.ago * interval '1 minute', v.count
from (values ('118044210377', ':crm', 'token_read', 300, 214), ('118044210377', ':billing', 'paused', 221.9, 1),
             ('118044210377', ':laptop', 'resumed', 220.4, 1), ('44871902', ':crm', 'token_read', 160, 41),
             ('44871902', 'cli:import', 'registered', 414720, 1)) v(external_id, key_id, action, ago, count)
join connection c using (external_id) order by v.ago desc;

-- A bulk job that is under way: for 60 of HubSpot's.
insert into bulk_job (made_by, key_id, deed, selection, as_of, most, state, total, done, skipped, next_at, created_at)
values (':laptop', ':laptop', 'refresh', '{"health": "fresh", "provider": "hubspot"}',
    refresher_now() - interval '1 minute', 60, 'working', 60, 40, 2, refresher_now(), refresher_now() - interval '1 minute');

-- What was imported came in long ago.
update refresh_event e set occurred_at = c.created_at - interval '1 day'
from connection c where c.id = e.connection_id and e.kind = 'imported';

analyze connection, refresh_schedule, refresh_event, look_sample;
