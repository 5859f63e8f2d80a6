/** What the compiler must refuse, and must not: it is never run. */

import { connectionId, type Refresher, verifyWebhook } from "../src/index.js";

export async function typed(refresher: Refresher): Promise<void> {
  const id = await connectionId({ organizationId: "org", provider: "acme", externalId: "1" });
  // @ts-expect-error a part of the name is missing
  await refresher.token({ provider: "acme", externalId: "1" });
  (await refresher.call("get", "/v1/stats")).overdue.toFixed();
  // @ts-expect-error the path needs an id
  await refresher.call("get", "/v1/connections/{id}");
  // @ts-expect-error no such method
  await refresher.call("put", "/v1/stats");
  // @ts-expect-error a body is needed
  await refresher.call("post", "/v1/webhooks", {});
  await refresher.call("delete", "/v1/providers/{name}/pauses", { path: { name: "acme" }, query: { app: "default" } });
  await refresher.call("patch", "/v1/connections/{id}", { path: { id }, body: { name: "Ann" }, ifMatch: '"1-1"' });
  for await (const { external_id, health } of refresher.list({ health: "fresh" })) {
    // @ts-expect-error no such health
    external_id.length && health === "good";
  }
  // @ts-expect-error no such health
  refresher.list({ health: "good" });
  // @ts-expect-error no such field
  await refresher.register({ provider: "acme", external_id: "1", acess_token: "x" });
  await refresher.register({ provider: "acme", external_id: "1", answer: { access_token: "x" } });
  const start = await refresher.connect.begin({ connection_id: id });
  // @ts-expect-error it is a secret
  start.url.length;
  const link = await refresher.resumeLink(id);
  [start.url.reveal(), link.path.reveal(), link.url?.reveal()].join();
  // @ts-expect-error a body that was read and written again is not what was signed
  await verifyWebhook({ type: "webhook.test" }, {}, "whsec_");
}
