import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Refresher, Secret, SettingsError } from "../src/index.js";
import { runs } from "./kit.js";

const apiKey = "rfr_abc_secret";

for (const apiUrl of ["https://refresher.example", "http://localhost:8080/", "http://127.0.0.1:1", "http://[::1]:1", "http://a.localhost"]) {
  test(`${apiUrl} is taken`, () => assert.ok(new Refresher({ apiUrl, apiKey })));
}

for (const apiUrl of ["", "refresher.example", "ftp://refresher.example", "https://a:b@refresher.example", "https://refresher.example#a", "https://refresher.example?a=b", "http://refresher.example", "http://localhost.example", "http://127.0.0.1.example", "http://10.0.0.1"]) {
  test(`${JSON.stringify(apiUrl)} is refused`, () => assert.throws(() => new Refresher({ apiUrl, apiKey }), SettingsError));
}

test("http:// inside one private network is taken where that is said", () => {
  assert.ok(new Refresher({ apiUrl: "http://refresher.internal", apiKey, allowInsecure: true }));
});

for (const timeoutSeconds of [0, -1, NaN, Infinity]) {
  test(`${timeoutSeconds} is no timeout`, () => {
    assert.throws(() => new Refresher({ apiUrl: "http://localhost", apiKey, timeoutSeconds }), SettingsError);
  });
}

for (const wrong of ["", " ", "a b", "schlüssel"]) {
  test(`${JSON.stringify(wrong)} is no key`, () => {
    assert.throws(() => new Refresher({ apiUrl: "http://localhost", apiKey: wrong }), (error: Error) => {
      assert.ok(error instanceof SettingsError);
      return wrong.trim() === "" || !error.message.includes(wrong);
    });
  });
}

test("the environment names the API, and a client without it says what is missing", () => {
  const index = new URL("../src/index.js", import.meta.url).href;
  const program = `import { Refresher } from ${JSON.stringify(index)};
    try { new Refresher(); console.log("made"); } catch (error) { console.log(error.message); }`;
  const env = { REFRESHER_API_URL: "https://refresher.example", REFRESHER_API_KEY: apiKey };
  assert.equal(runs(program, env).trim(), "made");
  assert.match(runs(program, {}), /apiUrl is missing, and REFRESHER_API_URL is not set/);
  assert.match(runs(program, { ...env, REFRESHER_API_KEY: "" }), /refresher keys create/);
});

test("secrets are shown nowhere", () => {
  const secret = new Secret("xyzzy");
  const client = new Refresher({ apiUrl: "http://localhost", apiKey });
  for (const shown of [inspect(secret, { showHidden: true }), inspect({ secret }), JSON.stringify({ secret }), `${secret}`, String(secret), inspect(client, { depth: 9 }), JSON.stringify(client)]) {
    assert.ok(!/xyzzy|rfr_/.test(shown), shown);
  }
  assert.equal(secret.reveal(), "xyzzy");
});
