/** Access tokens: asked for, remembered for a moment, and one request for all who ask at once. */

import { type Which, connectionId } from "./account.js";
import { Secret } from "./secret.js";
import type { Api, Schemas } from "./transport.js";

/** What kind of token is wanted. */
export interface TokenWish {
  /** The life that it must have left; 60 where it is left out. */
  minTtlSeconds?: number;
  /** How long a refresh may be waited for; 20 where it is left out. */
  waitSeconds?: number;
  /** The fingerprint of a token that the resource server answered with 401. */
  rejected?: string;
  /** The name of a token beside the main one. */
  slot?: string;
  signal?: AbortSignal | undefined;
}

type Answered = Omit<Schemas["AccessToken"], "access_token">;

/** A valid access token. `stale`: it is less fresh than was asked, and `reason` says why. */
export interface Token extends Answered {}
export class Token {
  readonly connection_id: string;
  readonly access_token: Secret;

  constructor(connection: string, answer: Schemas["AccessToken"]) {
    Object.assign(this, answer);
    this.connection_id = connection;
    this.access_token = new Secret(answer.access_token);
  }

  /** The value of the `Authorization` header. */
  header(): string {
    return `${this.token_type} ${this.access_token.reveal()}`;
  }
}

const REMEMBER_SECONDS = 5;

export class Tokens {
  readonly #api: Api;
  readonly #remembered = new Map<string, { token: Token; until: number }>();
  readonly #asked = new Map<string, Promise<Token>>();

  constructor(api: Api) {
    this.#api = api;
  }

  /** Returns a token that is not the rejected one. */
  async get(which: Which, wish: TokenWish = {}): Promise<Token> {
    const id = await connectionId(which);
    const { minTtlSeconds = 60, waitSeconds = 20, rejected, slot, signal } = wish;
    signal?.throwIfAborted();
    const name = JSON.stringify([id, slot, minTtlSeconds]);
    const known = rejected === undefined ? this.#remembered.get(name) : undefined;
    if (known !== undefined && performance.now() < known.until) {
      return known.token;
    }
    const key = JSON.stringify([name, rejected, waitSeconds]);
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      const body = { min_ttl_seconds: minTtlSeconds, wait_seconds: waitSeconds, rejected, slot };
      asked = this.#ask(name, id, body).finally(() => this.#asked.delete(key));
      this.#asked.set(key, asked);
    }
    // Who gives up leaves the others their request.
    return signal ? unlessAborted(asked, signal) : asked;
  }

  async #ask(name: string, id: string, body: Schemas["TokenWish"]): Promise<Token> {
    for (const [held, { token }] of this.#remembered) {
      if (token.fingerprint === body.rejected) {
        this.#remembered.delete(held);
      }
    }
    const waitSeconds = body.wait_seconds ?? 0;
    const answer = await this.#api.call("post", "/v1/connections/{id}/token", { path: { id }, body, waitSeconds });
    const token = new Token(id, answer);
    this.#remember(name, token, body.min_ttl_seconds ?? 0);
    return token;
  }

  /**
   * For a moment, while it still has the life that was asked for; and no longer than half of what it has. Not at
   * all where a refresh by anybody ends it at once.
   */
  #remember(name: string, token: Token, minTtlSeconds: number): void {
    const now = performance.now();
    this.#remembered.delete(name);
    for (const [held, { until }] of this.#remembered) {
      if (until > now) {
        break;
      }
      this.#remembered.delete(held);
    }
    const left = token.expires_in_seconds ?? Infinity;
    const seconds = Math.min(REMEMBER_SECONDS, left / 2, left - minTtlSeconds);
    if (!token.stale && token.old_access_token_survives && seconds > 0) {
      this.#remembered.set(name, { token, until: now + seconds * 1000 });
    }
  }
}

function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    asked.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
