import assert from "node:assert/strict";
import { test } from "node:test";
import { RefresherError, Refresher } from "../src/index.js";
import { serve } from "./kit.js";

const ID = "41514242-3028-5619-bb72-e9b321027762";
type Answer = [status: number, body: object] | "gone";

/** A client whose API serves token-1, token-2, … and then what is said; `sent` are the requests beyond. */
function fake(resource: (init: RequestInit, url: string) => Response, then?: Answer, more: object = {}) {
  const asked: Record<string, unknown>[] = [];
  const sent: { url: string; headers: Headers; body: unknown }[] = [];
  let number = 0;
  const send: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (!url.includes("/v1/")) {
      const body = init?.body ?? (input instanceof Request ? input.body : null);
      sent.push({ url, headers: new Headers(init?.headers), body });
      return resource(init!, url);
    }
    const wish = JSON.parse(String(init?.body)) as Record<string, unknown>;
    asked.push(wish);
    if (wish["rejected"] && then === "gone") {
      throw new TypeError("fetch failed", { cause: new Error("ECONNREFUSED") });
    }
    if (wish["rejected"] && typeof then === "object") {
      return Response.json(then[1], { status: then[0] });
    }
    number += 1;
    const facts = { expires_in_seconds: 3600, fingerprint: `print-${number}`, stale: false, token_type: "Bearer" };
    return Response.json({ access_token: `token-${number}`, old_access_token_survives: true, ...facts, ...more });
  };
  const refresher = new Refresher({ apiUrl: "http://localhost", apiKey: "rfr_a_b", fetch: send });
  return { refresher, asked, sent, call: refresher.fetch(ID) };
}

const once401 = () => {
  let calls = 0;
  return () => new Response(null, { status: (calls += 1) === 1 ? 401 : 200 });
};
const tokens = (sent: { headers: Headers }[]) => sent.map(({ headers }) => headers.get("Authorization"));

test("a refused token is reported, and the request repeated with the next", async () => {
  const { call, sent, asked } = fake(once401());
  const response = await call("https://api.example/me", { method: "POST", body: "text", headers: { "X-A": "1" } });
  assert.equal(response.status, 200);
  assert.deepEqual(tokens(sent), ["Bearer token-1", "Bearer token-2"]);
  assert.deepEqual(asked.map((one) => one["rejected"]), [undefined, "print-1"]);
  assert.deepEqual(sent.map(({ headers, body }) => [headers.get("X-A"), body]), [["1", "text"], ["1", "text"]]);
});

test("a server that refuses all is asked twice", async () => {
  const { call, sent } = fake(() => new Response(null, { status: 401 }));
  assert.equal((await call("https://api.example/me")).status, 401);
  assert.equal(sent.length, 2);
});

test("a request keeps its own headers, and its signal", async () => {
  const { call, sent } = fake(once401());
  assert.equal((await call(new Request("https://api.example/me", { headers: { Accept: "text/plain" } }))).status, 200);
  assert.deepEqual(sent.map(({ headers }) => headers.get("Accept")), ["text/plain", "text/plain"]);
  const request = new Request("https://api.example/me", { signal: AbortSignal.abort(new Error("enough")) });
  await assert.rejects(call(request), /enough/);
});

for (const [name, body] of [
  ["bytes", new Uint8Array([1])], ["a buffer", new ArrayBuffer(1)], ["a form", new FormData()],
  ["parameters", new URLSearchParams("a=1")], ["a blob", new Blob(["x"])],
] as [string, BodyInit][]) {
  test(`${name} can be sent again`, async () => {
    const { call } = fake(once401());
    assert.equal((await call("https://api.example/me", { method: "POST", body })).status, 200);
  });
}

test("what can be read only once is not sent again; the next request has the next token", async () => {
  const { call, sent } = fake(once401());
  const stream = new Blob(["x"]).stream();
  const init = { method: "POST", body: stream, duplex: "half" } as RequestInit;
  assert.equal((await call("https://api.example/me", init)).status, 401);
  assert.equal((await call(new Request("https://api.example/me", { method: "POST", body: "x" }))).status, 200);
  assert.deepEqual(tokens(sent), ["Bearer token-1", "Bearer token-2"]);
});

test("where only a person can help, that is the error", async () => {
  const problem = { code: "token_unavailable", reason: "reconnect_required", detail: "connect it again" };
  const { call } = fake(once401(), [409, problem]);
  await assert.rejects(call("https://api.example/me"), {
    name: "TokenUnavailable", code: "reconnect_required", connectionId: ID, status: 409, retryAfterSeconds: null,
    message: "connect it again",
  });
});

for (const then of [[503, { code: "token_unavailable_now", reason: "paced", retry_after_seconds: 3 }], "gone"] as Answer[]) {
  test(`the 401 is handed on where the next token is to be had later (${JSON.stringify(then)})`, async () => {
    const { call, sent } = fake(once401(), then);
    assert.equal((await call("https://api.example/me")).status, 401);
    assert.equal(sent.length, 1);
  });
}

test("the 401 of a server that one was led to is not the token's fault", async () => {
  const elsewhere = await serve((_, response) => response.writeHead(401).end());
  const here = await serve((_, response) => response.writeHead(302, { Location: `${elsewhere}/there` }).end());
  let asked = 0;
  const send: typeof fetch = async (input, init) => {
    if (!String(input).includes("/v1/")) {
      return fetch(input, init);
    }
    asked += 1;
    return Response.json({ access_token: "t", token_type: "Bearer", fingerprint: "f", expires_in_seconds: 60, stale: false });
  };
  const refresher = new Refresher({ apiUrl: "http://localhost", apiKey: "rfr_a_b", fetch: send });
  assert.equal((await refresher.fetch(ID)(here)).status, 401);
  assert.equal(asked, 1);
});

test("a token is remembered while it is good enough, and forgotten when it is refused", async () => {
  const { refresher, asked } = fake(() => new Response());
  const [one, two] = [await refresher.token(ID), await refresher.token(ID)];
  assert.equal(one, two);
  assert.equal(await refresher.token(ID, { minTtlSeconds: 3599 }).then((token) => token.header()), "Bearer token-2");
  await refresher.token(ID, { minTtlSeconds: 3600 });
  await refresher.token(ID, { minTtlSeconds: 3600 });
  assert.equal(asked.length, 4);
  await refresher.token(ID, { rejected: one.fingerprint });
  assert.notEqual(await refresher.token(ID), one);
});

for (const more of [{ stale: true }, { old_access_token_survives: false }, { expires_in_seconds: 60 }]) {
  test(`${JSON.stringify(more)} is asked for each time`, async () => {
    const { refresher, asked } = fake(() => new Response(), undefined, more);
    assert.notEqual(await refresher.token(ID), await refresher.token(ID));
    assert.equal(asked.length, 2);
  });
}

test("who gives up leaves the others their request", async () => {
  const { refresher, asked } = fake(() => new Response());
  const leaving = new AbortController();
  const [first, second] = [refresher.token(ID, { signal: leaving.signal }), refresher.token(ID)];
  leaving.abort(new Error("enough"));
  await assert.rejects(first, /enough/);
  assert.equal((await second).header(), "Bearer token-1");
  assert.equal(asked.length, 1);
});

test("what is not of the API says so, and nothing of what was sent", async () => {
  for (const [body, status] of [["<html>", 200], ["<html>", 404], ["", 308], ["null", 502]] as [string, number][]) {
    const refresher = new Refresher({
      apiUrl: "http://localhost", apiKey: "rfr_a_b", fetch: async () => new Response(body, { status }),
    });
    const error: unknown = await refresher.register({ provider: "x", external_id: "1", access_token: "xyzzy" }).catch((e: unknown) => e);
    assert.ok(error instanceof RefresherError);
    assert.equal(error.status, status);
    assert.match(error.message, /check apiUrl/);
    assert.ok(!/xyzzy|rfr_/.test(JSON.stringify(error) + String(error.stack)));
  }
});
