/** Requests to the API, typed by the paths of its OpenAPI document; refusals as errors. */

import type { components, paths } from "./api.js";
import { ApiUnavailable, RefresherError, SettingsError, TokenUnavailable } from "./errors.js";

export const VERSION = "0.1.0";

/** The shapes of the API's document, by name: `Schemas["Connection"]`. */
export type Schemas = components["schemas"];
type Method = "get" | "put" | "post" | "patch" | "delete";
type Operation<P extends keyof paths, M extends keyof paths[P]> = NonNullable<paths[P][M]>;
/** The methods that a path takes. */
export type MethodOf<P extends keyof paths> = {
  [M in Method]: paths[P][M] extends { responses: object } ? M : never;
}[Method];
type Json<C> = C extends { content: { "application/json": infer T } } ? T : undefined;
/** What an operation answers. */
export type Answer<P extends keyof paths, M extends MethodOf<P>> =
  Operation<P, M> extends { responses: infer R } ? Json<R[keyof R & (200 | 201 | 202)]> : never;

type Part<O, Name extends string> = O extends { parameters: { [N in Name]: infer V } }
  ? { [N in Name]: V }
  : O extends { parameters: { [N in Name]?: infer V } }
    ? { [N in Name]?: V }
    : unknown;
type Body<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : O extends { requestBody?: infer R }
    ? { body?: Json<NonNullable<R>> }
    : unknown;
/** What goes with any request. */
export interface Extras {
  /** Any unique text: with it, the same request again gets the first answer, so it is safe to repeat. */
  idempotencyKey?: string;
  /** The ETag that was read: refused when the connection has changed since. */
  ifMatch?: string;
  signal?: AbortSignal | undefined;
  /** How long the server may take on purpose, beyond the client's own `timeoutSeconds`. */
  waitSeconds?: number;
}
/** What an operation takes: `path`, `query` and `body` as its document says, and what goes with any. */
export type Given<P extends keyof paths, M extends MethodOf<P>> = Part<Operation<P, M>, "path"> &
  Part<Operation<P, M>, "query"> &
  Body<Operation<P, M>> &
  Extras;
/** `Given`, which may be left out where all of it may. */
export type Arguments<P extends keyof paths, M extends MethodOf<P>> =
  Record<never, never> extends Given<P, M> ? [given?: Given<P, M>] : [given: Given<P, M>];
type Loose = Extras & { path?: Record<string, unknown>; query?: object; body?: unknown };

/** How a `Refresher` is made. */
export interface Settings {
  /** Where the API is, such as `https://refresher.example.com`; else `REFRESHER_API_URL`. */
  apiUrl?: string | undefined;
  /** A key of `refresher keys create`; else `REFRESHER_API_KEY`. */
  apiKey?: string | undefined;
  /** What sends requests, else the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** How long the API may take, beyond what it was asked to wait. 10 where it is left out. */
  timeoutSeconds?: number;
  /** Take http:// to another machine, inside one private network. */
  allowInsecure?: boolean;
}

const TOKEN_CODES = [
  ...["token_unavailable", "token_unavailable_now", "not_refreshable"],
  ...["no_such_connection", "no_such_slot"],
];

export class Api {
  readonly #base: string;
  readonly #key: string;
  readonly #fetch: typeof globalThis.fetch;
  readonly #timeoutSeconds: number;

  constructor(settings: Settings) {
    const environment = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env;
    const key = (settings.apiKey ?? environment?.["REFRESHER_API_KEY"] ?? "").trim();
    this.#base = checkedUrl(settings.apiUrl ?? environment?.["REFRESHER_API_URL"], settings.allowInsecure);
    if (!/^[\x21-\x7e]+$/.test(key)) {
      throw new SettingsError(
        "apiKey is missing or no key (and REFRESHER_API_KEY is not set): `refresher keys create` prints one",
      );
    }
    this.#key = key;
    this.#fetch = settings.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#timeoutSeconds = settings.timeoutSeconds ?? 10;
    if (!(this.#timeoutSeconds > 0 && this.#timeoutSeconds < Infinity)) {
      throw new SettingsError("timeoutSeconds must be a number of seconds above 0");
    }
  }

  /** Returns what an operation answers, as it came; throws what it refuses. */
  call<P extends keyof paths, M extends MethodOf<P>>(
    method: M,
    path: P,
    ...given: Arguments<P, M>
  ): Promise<Answer<P, M>> {
    return this.#carriedOut(method, path, given[0] as unknown as Loose | undefined) as Promise<Answer<P, M>>;
  }

  async #carriedOut(method: string, path: string, given: Loose = {}): Promise<unknown> {
    const { path: names = {}, query = {}, body, idempotencyKey, ifMatch } = given;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(names[name])));
    const asked = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    const search = new URLSearchParams(asked.map(([name, value]) => [name, String(value)])).toString();
    const headers: Record<string, string> = {
      Authorization: `Bearer ${this.#key}`,
      Accept: "application/json, application/problem+json",
      "User-Agent": `refresher-typescript/${VERSION}`,
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "Idempotency-Key": idempotencyKey }),
      ...(ifMatch === undefined ? {} : { "If-Match": ifMatch }),
    };
    const init: RequestInit = { method: method.toUpperCase(), headers, redirect: "manual" };
    if (body !== undefined) {
      init.body = JSON.stringify(body);
    }
    const isRepeatable = method === "get" || path.endsWith("/token") || idempotencyKey !== undefined;
    const url = this.#base + filled + (search && `?${search}`);
    const [response, text] = await this.#sent(url, init, given, isRepeatable);
    const isAboutToken = /\/(?:token|refresh)$/.test(path);
    return this.#read(response, text, path, isAboutToken ? String(names["id"]) : undefined);
  }

  async #sent(url: string, init: RequestInit, extras: Extras, repeatable: boolean): Promise<[Response, string]> {
    const deadline = AbortSignal.timeout(Math.ceil(((extras.waitSeconds ?? 0) + this.#timeoutSeconds) * 1000));
    const signal = extras.signal ? AbortSignal.any([deadline, extras.signal]) : deadline;
    try {
      const response = await this.#fetch(url, { ...init, signal });
      return [response, await response.text()];
    } catch (error) {
      extras.signal?.throwIfAborted();
      if (deadline.aborted) {
        throw new ApiUnavailable("timed_out", `${this.#base} did not answer in time`);
      }
      if (repeatable) {
        return this.#sent(url, init, extras, false);
      }
      throw new ApiUnavailable("unreachable", `${this.#base} cannot be reached: ${reasonOf(error)}`);
    }
  }

  #read(response: Response, text: string, path: string, id?: string): unknown {
    let told: unknown;
    try {
      told = text === "" ? undefined : JSON.parse(text);
    } catch {
      told = null;
    }
    if (!response.ok) {
      throw refusal(response, told, id);
    }
    if (told === null) {
      throw new RefresherError(
        "not_this_api",
        `${this.#base} answered ${path} with what is not of this API: check apiUrl`,
        { status: response.status },
      );
    }
    return told;
  }
}

/** Returns the error that a refusal tells of; what is no problem document gives its status. */
function refusal(response: Response, told: unknown, id?: string): RefresherError {
  const problem = (typeof told === "object" && told !== null ? told : {}) as Partial<Schemas["ProblemDetails"]>;
  const { status } = response;
  const after = Number(problem.retry_after_seconds ?? response.headers.get("Retry-After") ?? NaN);
  const facts = { status, retryAfterSeconds: Number.isFinite(after) ? after : null };
  const sentence = problem.detail ?? `the API answered ${status}: ${problem.title ?? "check apiUrl"}`;
  const code = problem.code ?? `http_${status}`;
  if (id !== undefined && TOKEN_CODES.includes(code)) {
    return new TokenUnavailable(id, problem.reason ?? code, sentence, facts);
  }
  return new (status >= 500 ? ApiUnavailable : RefresherError)(code, sentence, facts);
}

function checkedUrl(given: string | undefined, allowInsecure = false): string {
  if (!given) {
    throw new SettingsError("apiUrl is missing, and REFRESHER_API_URL is not set");
  }
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.username || url.search || url.hash) {
    throw new SettingsError("apiUrl must begin with https:// and name a server, without a name, a password or a query");
  }
  if (url.protocol === "http:" && !allowInsecure && !isThisMachine(url.hostname)) {
    throw new SettingsError(
      `apiUrl begins with http://, and ${url.hostname} is another machine: the API key and the tokens would ` +
        "travel in the clear. Give https://, or allowInsecure: true inside one private network",
    );
  }
  return url.href.replace(/\/+$/, "");
}

/** `host` is as URL writes it: numbers as four decimal parts, IPv6 in brackets. */
function isThisMachine(host: string): boolean {
  return /^(?:127\.\d+\.\d+\.\d+|\[::1\]|(?:.+\.)?localhost\.?)$/.test(host);
}

function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message || inner.name : "no reason given";
}

/** Yields what stands on all pages; `page` is asked for the first, then for each that a cursor leads to. */
export async function* pages<T>(
  page: (query: { limit: number; cursor?: string }) => Promise<{ items: T[]; next_cursor: string | null }>,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | null = null;
  do {
    const found: { items: T[]; next_cursor: string | null } = await page({ limit: 200, ...(cursor && { cursor }) });
    yield* found.items;
    cursor = found.next_cursor;
  } while (cursor !== null);
}
