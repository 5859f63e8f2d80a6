import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { SettingsError, verifyWebhook } from "../src/index.js";
import { lacksVectors, vectors } from "./kit.js";

test("what standardwebhooks signed is verified, in each form of body and headers", { skip: lacksVectors }, async () => {
  for (const { body, headers, secret, now } of vectors().webhooks) {
    const at = { now: new Date(now) };
    const event = await verifyWebhook(body, headers, secret, at);
    assert.equal(event.id, headers["webhook-id"]);
    assert.equal(event.type, JSON.parse(body).type);
    const capitals = Object.fromEntries(Object.entries(headers).map(([n, v]) => [n.toUpperCase(), [v]]));
    assert.deepEqual(await verifyWebhook(Buffer.from(body), capitals, secret, at), event);
    const others = ["whsec_b3RoZXI=", secret];
    assert.deepEqual(await verifyWebhook(new TextEncoder().encode(body).buffer, headers, secret, at), event);
    assert.deepEqual(await verifyWebhook(body, new Headers(headers), others, at), event);
  }
});

const CHANGES: [string, string, (body: string, headers: Record<string, string>) => [string, Record<string, string>]][] = [
  ["another body", "bad_signature", (body, headers) => [body.replace("{", "{ "), headers]],
  ["a body that was read", "bad_signature", (body, headers) => [JSON.parse(body) as string, headers]],
  ["another id", "bad_signature", (body, headers) => [body, { ...headers, "webhook-id": "other" }]],
  ["another instant", "bad_signature", (body, headers) => [body, { ...headers, "webhook-timestamp": "1" }]],
  ["another form", "bad_signature", (body, headers) => [body, { ...headers, "webhook-signature": "v2,AAAA v1,*" }]],
  ["no signature", "incomplete", (body, { "webhook-signature": _, ...headers }) => [body, headers]],
  ["no number", "incomplete", (body, headers) => [body, { ...headers, "webhook-timestamp": "1e9" }]],
  ["a strange id", "incomplete", (body, headers) => [body, { ...headers, "webhook-id": "é" }]],
];

for (const [what, code, change] of CHANGES) {
  test(`${what} is refused`, { skip: lacksVectors }, async () => {
    const [{ body, headers, secret, now }] = vectors().webhooks as [ReturnType<typeof vectors>["webhooks"][0]];
    const promise = verifyWebhook(...change(body, headers), secret, { now: new Date(now) });
    await assert.rejects(promise, { name: "UnverifiedWebhook", code });
  });
}

test("an old message is refused, unless more is allowed", { skip: lacksVectors }, async () => {
  const [{ body, headers, secret, now }] = vectors().webhooks as [ReturnType<typeof vectors>["webhooks"][0]];
  const later = new Date(Date.parse(now) + 301_000);
  await assert.rejects(verifyWebhook(body, headers, secret, { now: later }), { code: "bad_time" });
  await assert.rejects(verifyWebhook(body, headers, secret, { now: later, toleranceSeconds: NaN }), { code: "bad_time" });
  await verifyWebhook(body, headers, secret, { now: later, toleranceSeconds: 400 });
});

for (const wrong of ["", "whsec_", "whsec_*", "another", undefined as unknown as string]) {
  test(`${JSON.stringify(wrong)} is no secret`, async () => {
    await assert.rejects(verifyWebhook("{}", {}, wrong), (error: unknown) => {
      assert.ok(error instanceof SettingsError);
      assert.ok(!error.message.includes("*") && !error.message.includes("another"));
      return true;
    });
  });
}

test("no secret at all is said", async () => {
  await assert.rejects(verifyWebhook("{}", {}, []), SettingsError);
});

async function signed(body: string) {
  const now = String(Math.floor(Date.now() / 1000));
  const signature = createHmac("sha256", Buffer.from("b3RoZXI=", "base64")).update(`m.${now}.${body}`).digest("base64");
  return verifyWebhook(body, { "webhook-id": "m", "webhook-timestamp": now, "webhook-signature": `v1,${signature}` }, "whsec_b3RoZXI=");
}

const AT = "2030-01-01T12:00:00Z";
for (const wrong of ["", "[]", "null", `{"type":1,"timestamp":"${AT}","data":{}}`, `{"type":"a","timestamp":5,"data":{}}`, `{"type":"a","timestamp":"soon","data":{}}`, `{"type":"a","timestamp":"${AT}","data":[]}`, `{"type":"a","timestamp":"${AT}"}`]) {
  test(`${wrong} is signed, and no event`, () => assert.rejects(signed(wrong), { code: "bad_body" }));
}

test("whatever stands in data is handed on", async () => {
  const { data } = await signed(`{"type":"a","timestamp":"${AT}","data":{"constructor":1}}`);
  assert.deepEqual(data, { constructor: 1 });
});
