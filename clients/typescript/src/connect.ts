/** Connect sessions: a person is led through a provider's consent. docs/connect.md says what they may say. */

import { type Hiding, Secret, hiding } from "./secret.js";
import type { Api, Schemas } from "./transport.js";

/** Where to send a person, and what to keep in *that user's* own session until they are back. */
export type ConnectStart = Hiding<Schemas["NewConnectSession"], "url"> & {
  /** null where our own page has the last word. */
  verifier: Secret | null;
};
export type ConnectSession = Schemas["ConnectSession"];

const PATH = "/v1/connect/sessions";
const ONE = `${PATH}/{session_id}` as const;
/** How long one request waits; `wait` makes as many as it needs. */
const LONGEST_WAIT_SECONDS = 20;
/** Between two looks, where the server did not wait. */
const PAUSE_MILLISECONDS = 500;

export class Connect {
  readonly #api: Api;

  constructor(api: Api) {
    this.#api = api;
  }

  /**
   * Begins a session; with `connection_id` it is the reconnect of that connection.
   *
   * With a `return_url` the application has the last word: only who comes back with the verifier of the one
   * for whom it began can `complete` it.
   */
  async begin(order: Schemas["ConnectOrder"]): Promise<ConnectStart> {
    const body = { ...order };
    if (body.return_url) {
      body.finish ??= "application";
    }
    const verifier = body.finish === "application" ? base64url(crypto.getRandomValues(new Uint8Array(32))) : null;
    if (verifier !== null) {
      const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
      body.finish_challenge = base64url(new Uint8Array(hash));
    }
    const started = await this.#api.call("post", PATH, { body });
    return { ...hiding(started, "url"), verifier: verifier === null ? null : new Secret(verifier) };
  }

  /** How a session stands; waits for its end so long (60 seconds at most). */
  status(session_id: string, waitSeconds = 0, signal?: AbortSignal): Promise<ConnectSession> {
    const query = { wait_seconds: waitSeconds };
    return this.#api.call("get", ONE, { path: { session_id }, query, waitSeconds, signal });
  }

  /** Waits until a session has ended, `timeoutSeconds` (600) at most; returns how it stands then. */
  async wait(
    session_id: string,
    options: { timeoutSeconds?: number; signal?: AbortSignal } = {},
  ): Promise<ConnectSession> {
    const until = performance.now() + (options.timeoutSeconds ?? 600) * 1000;
    for (;;) {
      const left = Math.max(0, (until - performance.now()) / 1000);
      const found = await this.status(session_id, Math.min(left, LONGEST_WAIT_SECONDS), options.signal);
      if (found.state === "ended" || performance.now() >= until) {
        return found;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MILLISECONDS));
    }
  }

  /** The application's word that this account is its user's: `connect_code` of the return URL, and the verifier. */
  complete(session_id: string, code: string, verifier: string | Secret): Promise<ConnectSession> {
    const body = { code, verifier: verifier instanceof Secret ? verifier.reveal() : verifier };
    return this.#api.call("post", `${ONE}/complete`, { path: { session_id }, body });
  }

  /** Ends a session, and its link with it. */
  cancel(session_id: string): Promise<ConnectSession> {
    return this.#api.call("post", `${ONE}/cancel`, { path: { session_id } });
  }
}

function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
