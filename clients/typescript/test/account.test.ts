import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionId } from "../src/index.js";
import { lacksVectors, vectors } from "./kit.js";

test("a triple has the id that refresher gives it", { skip: lacksVectors }, async () => {
  const { ids } = vectors();
  assert.ok(ids.length > 5);
  for (const { id, ...account } of ids) {
    assert.equal(await connectionId(account), id);
  }
});

test("an id is itself, in small letters", async () => {
  const id = "41514242-3028-5619-BB72-E9B321027762";
  assert.equal(await connectionId(id), id.toLowerCase());
});

for (const wrong of ["1042", "", { organizationId: "org", provider: "acme", externalId: "" }]) {
  test(`${JSON.stringify(wrong)} names no connection`, async () => {
    await assert.rejects(connectionId(wrong), { name: "RefresherError", code: "no_such_connection" });
  });
}
