import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { inspect } from "node:util";
import { ApiUnavailable, connectionId, Refresher, RefresherError, TokenUnavailable, verifyWebhook } from "../src/index.js";
import { bodyOf, counted, endAccessToken, endGrant, fields, lacksRefresher, operator, provider, refresher, returnUrl, serve } from "./kit.js";

const PLACES = 50;

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) {
    found.push(item);
  }
  return found;
}

/** A connection that the provider really granted. */
async function connected(more: object = {}) {
  return refresher().register(await fields(more));
}

describe("a running refresher", { skip: lacksRefresher }, () => {
  test("a connection is registered, and its token opens the provider's door", async () => {
    const given = await fields({ name: "Ann" });
    const client = refresher();
    const connection = await client.register(given);
    assert.equal(connection.health, "fresh");
    const account = { organizationId: "org", provider: "acme", externalId: given.external_id };
    assert.equal(await connectionId(account), connection.id);
    const token = await client.token(account);
    assert.equal(token.access_token.reveal(), given.access_token);
    assert.equal(token.header(), `Bearer ${given.access_token}`);
    assert.ok(token.expires_in_seconds! > 3000 && !token.stale);
    assert.deepEqual(await client.headers(account), { Authorization: token.header() });
    for (const shown of [inspect(token, { depth: 9, showHidden: true }), JSON.stringify(token)]) {
      assert.ok(shown.includes("***") && !shown.includes(given.access_token));
    }
    const answer = await client.fetch(connection.id)(`${provider}/resource`);
    assert.deepEqual(await answer.json(), { sub: given.external_id });
  });

  test(`${PLACES} callers with a revoked access token: one refresh, and all are answered`, async () => {
    const given = await fields();
    const client = refresher();
    const { id } = await client.register(given);
    const call = client.fetch(id);
    assert.equal((await call(`${provider}/resource`)).status, 200);
    const before = await counted();
    await endAccessToken(given.access_token);
    const answers = await Promise.all(Array.from({ length: PLACES }, () => call(`${provider}/resource`)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const after = await counted();
    assert.equal(after.requests - before.requests, 1);
    assert.equal(after.resource_refused - before.resource_refused, PLACES);
  });

  test(`${PLACES} clients of their own, too`, async () => {
    const given = await fields();
    const { id } = await refresher().register(given);
    const calls = Array.from({ length: PLACES }, () => refresher().fetch(id));
    await Promise.all(calls.map((call) => call(`${provider}/resource`)));
    const before = await counted();
    await endAccessToken(given.access_token);
    const answers = await Promise.all(calls.map((call) => call(`${provider}/resource`)));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const after = await counted();
    assert.equal(after.requests - before.requests, 1);
    assert.equal(after.resource_refused - before.resource_refused, PLACES);
  });

  test("a token that is about to end is refreshed first, once for all who ask", async () => {
    const { id } = await connected({ expires_in: 20 });
    const before = await counted();
    const client = refresher();
    const tokens = await Promise.all(Array.from({ length: PLACES }, () => client.token(id)));
    assert.equal(new Set(tokens.map(({ fingerprint }) => fingerprint)).size, 1);
    assert.ok(tokens[0]!.expires_in_seconds! > 60);
    assert.equal((await counted()).requests - before.requests, 1);
  });

  test("a connection is looked at, changed and steered", async () => {
    const client = refresher();
    const { id, external_id } = await connected();
    const account = { organizationId: "org", provider: "acme", externalId: external_id };
    assert.equal((await client.patch(id, { name: "Bob", metadata: { plan: "gold" } })).name, "Bob");
    assert.deepEqual((await client.get(account)).metadata, { plan: "gold" });
    assert.equal((await client.pause(account)).health, "paused");
    assert.match((await client.resume(account)).health, /fresh|late|refreshing/);
    assert.equal((await client.disable(id)).health, "disabled");
    assert.match((await client.enable(id)).note ?? "", /^$/);
    assert.equal((await client.refresh(id)).outcome, "refreshed");
    assert.ok((await all(client.events(account))).some(({ kind }) => kind === "paused"));
    assert.equal((await client.find(account))!.id, id);
    assert.deepEqual((await client.find(external_id)).map((one) => one.id), [id]);
    assert.ok((await all(client.list({ provider: "acme", external_id }))).every((one) => one.id === id));
    assert.equal((await client.delete(account, { revoke: true })).deleted, true);
    assert.equal(await client.find(account), undefined);
  });

  test("a list of more than one page is read to its end", async () => {
    const ids = new Set((await Promise.all(Array.from({ length: 205 }, (_, i) =>
      refresher().register({ provider: "google", external_id: `many-${i}`, access_token: "a", refresh_token: "r", expires_in: 3600 }),
    ))).map(({ id }) => id));
    const listed = await all(refresher().list({ provider: "google" }));
    assert.deepEqual(new Set(listed.map(({ id }) => id)), ids);
    assert.equal(listed.length, 205);
  });

  test("a grant that ended is an error that says so, and begins the reconnect", async () => {
    const client = refresher();
    const { id, external_id } = await connected();
    await endGrant(external_id);
    const ending = await client.refresh(id);
    assert.equal(ending.outcome, "revoked");
    await endAccessToken((await client.token(id).catch(() => undefined))?.access_token.reveal() ?? "");
    const error: unknown = await client.fetch(id)(`${provider}/resource`).catch((e: unknown) => e);
    assert.ok(error instanceof TokenUnavailable);
    assert.deepEqual([error.code, error.status, error.retryAfterSeconds], ["reconnect_required", 409, null]);
    const start = await client.connect.begin({ connection_id: error.connectionId, return_url: returnUrl });
    assert.ok(start.verifier!.reveal().length > 40);
    assert.ok(!inspect(start, { depth: 9 }).includes(start.url.reveal()));
    await assert.rejects(client.connect.complete(start.id, "no", start.verifier!), { code: "not_confirmed", status: 409 });
    assert.equal((await client.connect.status(start.id)).kind, "reconnect");
    const waiting = client.connect.wait(start.id, { timeoutSeconds: 30 });
    assert.equal((await client.connect.cancel(start.id)).outcome, "cancelled");
    assert.equal((await waiting).state, "ended");
  });

  test("a wait for a session ends in its time", async () => {
    const client = refresher();
    const { id, verifier } = await client.connect.begin({ provider: "acme", external_id: "nobody" });
    assert.equal(verifier, null);
    assert.equal((await client.connect.wait(id, { timeoutSeconds: 0.2 })).state, "open");
    await assert.rejects(client.connect.wait(id, { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
  });

  test("refusals are told by code, status and sentence", async () => {
    const client = refresher();
    const nobody = { organizationId: "org", provider: "acme", externalId: "nobody" };
    await assert.rejects(client.token(nobody), { name: "TokenUnavailable", code: "no_such_connection", status: 404 });
    const { id } = await connected();
    await assert.rejects(client.token(id, { slot: "user" }), { name: "TokenUnavailable", code: "no_such_slot" });
    await assert.rejects(client.get(nobody), { name: "RefresherError", code: "no_such_connection", status: 404 });
    await assert.rejects(client.register({ provider: "acme", external_id: "1", answer: { error: "invalid_grant" } }), {
      code: "invalid_connection", status: 422, message: /invalid_grant/,
    });
    const stranger = refresher({ apiKey: "rfr_abcdefghijkl_secret" });
    await assert.rejects(stranger.token(id), { name: "RefresherError", code: "unauthorized", status: 401 });
    await assert.rejects(client.apps.list(), (error: RefresherError) => error.status === 403);
    const etag = { path: { id }, body: { name: "x" }, ifMatch: '"1-1"' };
    await assert.rejects(client.call("patch", "/v1/connections/{id}", etag), { code: "changed", status: 412 });
  });

  test("an API that is away, or silent, is told as such", async () => {
    let asked = 0;
    const silent = await serve(() => (asked += 1));
    const client = new Refresher({ apiUrl: silent, timeoutSeconds: 0.2 });
    const { id } = await connected();
    await assert.rejects(client.get(id), { name: "ApiUnavailable", code: "timed_out", status: null });
    assert.equal(asked, 1);
    const nobody = new Refresher({ apiUrl: "http://127.0.0.1:1" });
    await assert.rejects(nobody.token(id), (error) => error instanceof ApiUnavailable && error.code === "unreachable");
    const given = { path: { id }, signal: AbortSignal.abort(new Error("enough")) };
    await assert.rejects(refresher().call("get", "/v1/connections/{id}", given), /enough/);
  });

  test("a connection that breaks on the way is tried once more, where that is safe", async () => {
    let asked = 0;
    const breaking = await serve((request, response) => {
      asked += 1;
      asked % 2 ? request.socket.destroy() : response.end(JSON.stringify({ key: request.headers["idempotency-key"] }));
    });
    const client = new Refresher({ apiUrl: breaking });
    const { key } = (await client.register({ provider: "acme", external_id: "1" })) as unknown as { key: string };
    assert.match(key, /^[0-9a-f-]{36}$/);
    await assert.rejects(client.webhooks.create({ url: "https://x", events: ["*"] }), { code: "unreachable" });
    assert.equal(asked, 3);
  });

  test("webhooks come as they were sent: a test, and the end of a grant", async () => {
    const came: [Buffer, NodeJS.Dict<string | string[]>][] = [];
    const url = await serve(async (request, response) => {
      came.push([await bodyOf(request), request.headers]);
      response.writeHead(204).end();
    });
    const about = async (words: string) => {
      for (let looks = 0; looks < 600; looks += 1, await setTimeout(100)) {
        const found = came.filter(([body]) => body.includes(words)).at(-1);
        if (found) return found;
      }
      throw new Error(`nothing came about ${words}`);
    };
    const client = refresher();
    const hook = await client.webhooks.create({ url, events: ["connection.*"] });
    assert.ok(!inspect(hook, { depth: 9 }).includes("whsec_"));
    const told = await client.webhooks.test(hook.id);
    assert.equal(told.delivered, true, told.told);
    assert.equal((await verifyWebhook(...(await about("webhook.test")), hook.secret)).type, "webhook.test");
    const { id, external_id } = await connected();
    await endGrant(external_id);
    await client.refresh(id);
    const [body, headers] = await about(id);
    const event = await verifyWebhook(body, headers, hook.secret);
    assert.equal(event.type, "connection.reconnect_required");
    assert.equal(event.data.connection_id, id);
    await assert.rejects(verifyWebhook(body.subarray(1), headers, hook.secret), { code: "bad_signature" });
    const next = await client.webhooks.rotateSecret(hook.id);
    await client.webhooks.test(hook.id);
    for (const secret of [next.secret, hook.secret]) {
      await verifyWebhook(...(await about("webhook.test")), secret);
    }
    assert.ok((await all(client.webhooks.deliveries(hook.id))).length > 0);
    assert.deepEqual((await client.webhooks.patch(hook.id, { events: ["*"] })).events, ["*"]);
    assert.ok((await client.webhooks.disable(hook.id)).disabled_at);
    assert.equal((await client.webhooks.enable(hook.id)).disabled_at, null);
    assert.ok((await all(client.webhooks.list())).some((one) => one.id === hook.id));
    assert.equal((await client.webhooks.delete(hook.id)).deleted, true);
  });

  test("a link lets somebody without a key make a connection go on", async () => {
    const client = refresher();
    const { id } = await connected();
    await client.pause(id);
    const link = await client.resumeLink(id);
    assert.ok(!JSON.stringify(link).includes(link.path.reveal()));
    const response = await fetch(link.url!.reveal(), { method: "POST" });
    assert.equal(response.status, 200);
    assert.deepEqual((await client.resumeLinks(id)).map(({ state }) => state), ["used"]);
    await client.pause(id);
    const { id: second } = await client.resumeLink(id);
    assert.ok((await client.withdrawResumeLink(id, second)).withdrawn_at);
  });

  test("an operator keeps the apps", async () => {
    const { apps } = operator();
    const named = { provider: "google", name: "second" };
    await apps.put({ ...named, client_id: "c", client_secret: "s" });
    assert.ok((await apps.rotateSecret({ ...named, client_secret: "n" })).material.includes("previous_client_secret"));
    assert.deepEqual((await apps.endRotation(named)).material, []);
    assert.ok((await apps.list()).some((app) => app.name === "second" && app.has_secret));
  });
});
