/** Webhook endpoints and OAuth apps, as docs/api.md tells of them. */

import { type Hiding, hiding } from "./secret.js";
import { type Api, type Schemas, pages } from "./transport.js";

export type Webhook = Schemas["Webhook"];
const HOOKS = "/v1/webhooks";
const HOOK = `${HOOKS}/{webhook_id}` as const;

export class Webhooks {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /** Adds an endpoint; its secret is answered this once. */
  async create(body: Schemas["WebhookBody"]): Promise<Hiding<Schemas["NewWebhook"], "secret">> {
    return hiding(await this.#api.call("post", HOOKS, { body }), "secret");
  }

  list(query: { organization_id?: string } = {}): AsyncGenerator<Webhook, void, undefined> {
    return pages((cursor) => this.#api.call("get", HOOKS, { query: { ...query, ...cursor } }));
  }

  get(webhook_id: string): Promise<Webhook> {
    return this.#api.call("get", HOOK, { path: { webhook_id } });
  }

  patch(webhook_id: string, body: Schemas["WebhookChange"]): Promise<Webhook> {
    return this.#api.call("patch", HOOK, { path: { webhook_id }, body });
  }

  delete(webhook_id: string): Promise<Schemas["Removed"]> {
    return this.#api.call("delete", HOOK, { path: { webhook_id } });
  }

  /** What happens meanwhile is held, and goes out when it is enabled again. */
  disable(webhook_id: string): Promise<Webhook> {
    return this.#api.call("post", `${HOOK}/disable`, { path: { webhook_id } });
  }

  enable(webhook_id: string): Promise<Schemas["EnabledWebhook"]> {
    return this.#api.call("post", `${HOOK}/enable`, { path: { webhook_id } });
  }

  /** Answers a new secret, this once; messages carry both signatures for so long. */
  async rotateSecret(
    webhook_id: string,
    body: Schemas["RotationWish"] = {},
  ): Promise<Hiding<Schemas["NewSecret"], "secret">> {
    return hiding(await this.#api.call("post", `${HOOK}/rotate-secret`, { path: { webhook_id }, body }), "secret");
  }

  /** Sends a signed `webhook.test` now; `delivered` and `told` say what came back. */
  test(webhook_id: string): Promise<Schemas["TestDelivery"]> {
    return this.#api.call("post", `${HOOK}/test`, { path: { webhook_id }, waitSeconds: 20 });
  }

  deliveries(
    webhook_id: string,
    query: { state?: Schemas["Delivery"]["state"] } = {},
  ): AsyncGenerator<Schemas["Delivery"], void, undefined> {
    const path = { webhook_id };
    return pages((cursor) => this.#api.call("get", `${HOOK}/deliveries`, { path, query: { ...query, ...cursor } }));
  }

  replay(webhook_id: string, body: Schemas["ReplayWish"]): Promise<Schemas["Replayed"]> {
    return this.#api.call("post", `${HOOK}/replay`, { path: { webhook_id }, body });
  }
}

/** Needs a key of all organizations with the scope `admin`. Secrets go in and never come out. */
export class Apps {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  async list(): Promise<Schemas["App"][]> {
    return (await this.#api.call("get", "/v1/apps")).items;
  }

  /** Stores an app as a whole. */
  put(body: Schemas["AppBody"]): Promise<Schemas["App"]> {
    return this.#api.call("put", "/v1/apps", { body });
  }

  /** Stores the next secret beside the one before, until `endRotation`. */
  rotateSecret(body: Schemas["NextSecret"]): Promise<Schemas["App"]> {
    return this.#api.call("post", "/v1/apps/rotate-secret", { body });
  }

  endRotation(body: Schemas["AppNamed"]): Promise<Schemas["App"]> {
    return this.#api.call("post", "/v1/apps/end-rotation", { body });
  }
}
