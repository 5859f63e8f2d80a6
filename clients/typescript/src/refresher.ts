/** The client: fresh access tokens, and the connections that they belong to. */

import { type Account, type Which, connectionId } from "./account.js";
import type { paths } from "./api.js";
import { Apps, Webhooks } from "./administration.js";
import { Connect } from "./connect.js";
import { RefresherError } from "./errors.js";
import { fetchOf } from "./fetching.js";
import { type Hiding, hiding } from "./secret.js";
import { type Token, type TokenWish, Tokens } from "./token.js";
import { type Answer, Api, type Arguments, type MethodOf, type Schemas, type Settings, pages } from "./transport.js";

export type Connection = Schemas["Connection"];
export type Event = Schemas["Event"];
export type ResumeLink = Hiding<Schemas["ResumeLink"], "path" | "url">;
type Filters = Omit<NonNullable<paths["/v1/connections"]["get"]["parameters"]["query"]>, "cursor" | "limit" | "find">;
type Wish = Omit<TokenWish, "rejected" | "signal">;

const ONE = "/v1/connections/{id}";

/** Safe to share; make one for each process. Fields that are sent and answered have the API's own names. */
export class Refresher {
  readonly #api: Api;
  readonly #tokens: Tokens;
  readonly #send: typeof globalThis.fetch;
  readonly connect: Connect;
  readonly webhooks: Webhooks;
  readonly apps: Apps;

  /** What is left out comes from REFRESHER_API_URL and REFRESHER_API_KEY. Throws `SettingsError`. */
  constructor(settings: Settings = {}) {
    this.#api = new Api(settings);
    this.#tokens = new Tokens(this.#api);
    this.#send = settings.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.connect = new Connect(this.#api);
    this.webhooks = new Webhooks(this.#api);
    this.apps = new Apps(this.#api);
  }

  /**
   * Returns a token that is valid, refreshed first where it must be; throws `TokenUnavailable`.
   *
   * A good one is remembered for 5 seconds, while it has the life that is asked for. All who ask at once share
   * one request, here, and one refresh, wherever they ask.
   */
  token(which: Which, wish?: TokenWish): Promise<Token> {
    return this.#tokens.get(which, wish);
  }

  /** Returns `{ Authorization }` for whatever sends requests. It ends when the token does: ask each time. */
  async headers(which: Which, wish?: TokenWish): Promise<{ Authorization: string }> {
    return { Authorization: (await this.token(which, wish)).header() };
  }

  /** Returns a `fetch` that sends the token, and after a 401 the next one, once. */
  fetch(which: Which, wish: Wish = {}): typeof globalThis.fetch {
    return fetchOf(this.#tokens, this.#send, which, wish);
  }

  /** Refreshes now, whatever life is left; waits for who is at it already. */
  async refresh(which: Which, waitSeconds = 20): Promise<Schemas["Refreshed"]> {
    const path = { id: await connectionId(which) };
    return this.#api.call("post", `${ONE}/refresh`, { path, body: { wait_seconds: waitSeconds }, waitSeconds, ...once() });
  }

  /**
   * Registers a connection, or connects a known one again where tokens come.
   *
   * `answer` is what the provider's token endpoint answered, as it came; or give the fields one by one.
   */
  register(body: Schemas["Registration"]): Promise<Connection> {
    return this.#api.call("put", "/v1/connections", { body, ...once() });
  }

  async get(which: Which): Promise<Connection> {
    return this.#api.call("get", ONE, { path: { id: await connectionId(which) } });
  }

  /** Yields all that pass, page by page. */
  list(filters: Filters = {}): AsyncGenerator<Connection, void, undefined> {
    return pages((cursor) => this.#api.call("get", "/v1/connections", { query: { ...filters, ...cursor } }));
  }

  /** Returns the connection of these names, or what a text may mean: an external id, a name, an id or its beginning. */
  find(which: Account): Promise<Connection | undefined>;
  find(text: string, organization_id?: string): Promise<Connection[]>;
  async find(which: Which, organization_id?: string): Promise<Connection | undefined | Connection[]> {
    if (typeof which === "string") {
      const query = { find: which, ...(organization_id === undefined ? {} : { organization_id }) };
      return (await this.#api.call("get", "/v1/connections", { query })).items;
    }
    try {
      return await this.get(which);
    } catch (error) {
      if (error instanceof RefresherError && error.code === "no_such_connection") {
        return undefined;
      }
      throw error;
    }
  }

  /** Changes name, metadata (as a whole) or scopes; what is left out stays. */
  async patch(which: Which, body: Schemas["Change"]): Promise<Connection> {
    return this.#api.call("patch", ONE, { path: { id: await connectionId(which) }, body, ...once() });
  }

  /** No refresh until it is resumed; the token is served while it lives. */
  pause(which: Which): Promise<Connection> {
    return this.#steer(which, "pause");
  }

  /** Ends a pause, disabling and `reconnect_required`; `note` says where there was nothing to do. */
  resume(which: Which): Promise<Connection> {
    return this.#steer(which, "resume");
  }

  disable(which: Which): Promise<Connection> {
    return this.#steer(which, "disable");
  }

  enable(which: Which): Promise<Connection> {
    return this.#steer(which, "enable");
  }

  /** Registering it again brings it back. With `revoke` the provider is asked to end the grant. */
  async delete(which: Which, options: { revoke?: boolean } = {}): Promise<Schemas["Deleted"]> {
    const path = { id: await connectionId(which) };
    const waitSeconds = options.revoke ? 30 : 0;
    return this.#api.call("delete", ONE, { path, query: { ...options }, waitSeconds, ...once() });
  }

  /** Yields what happened, the newest first. */
  async *events(which: Which): AsyncGenerator<Event, void, undefined> {
    const path = { id: await connectionId(which) };
    yield* pages((cursor) => this.#api.call("get", `${ONE}/events`, { path, query: cursor }));
  }

  /** Makes a link by which somebody without a key makes the connection go on, once. */
  async resumeLink(which: Which, body: Schemas["LinkOrder"] = {}): Promise<ResumeLink> {
    const path = { id: await connectionId(which) };
    return hiding(await this.#api.call("post", `${ONE}/resume-link`, { path, body }), "path", "url");
  }

  async resumeLinks(which: Which): Promise<Schemas["SeenLink"][]> {
    const path = { id: await connectionId(which) };
    return (await this.#api.call("get", `${ONE}/resume-links`, { path })).items;
  }

  async withdrawResumeLink(which: Which, link_id: string): Promise<Schemas["SeenLink"]> {
    const path = { id: await connectionId(which), link_id };
    return this.#api.call("delete", `${ONE}/resume-links/{link_id}`, { path, ...once() });
  }

  /** Any operation of the API, typed by its document; the answer as it came, secrets in the clear. */
  call<P extends keyof paths, M extends MethodOf<P>>(
    method: M,
    path: P,
    ...given: Arguments<P, M>
  ): Promise<Answer<P, M>> {
    return this.#api.call(method, path, ...given);
  }

  async #steer(which: Which, deed: "pause" | "resume" | "disable" | "enable"): Promise<Connection> {
    return this.#api.call("post", `${ONE}/${deed}`, { path: { id: await connectionId(which) }, ...once() });
  }
}

/** With a key of its own a request is safe to send again when its answer is lost on the way. */
function once(): { idempotencyKey: string } {
  return { idempotencyKey: crypto.randomUUID() };
}
