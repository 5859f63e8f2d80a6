/** A `fetch` that puts a connection's token in, and puts it right after a 401. */

import type { Which } from "./account.js";
import { RefresherError, TokenUnavailable } from "./errors.js";
import type { Token, TokenWish, Tokens } from "./token.js";

type Fetch = typeof globalThis.fetch;

/**
 * Returns a `fetch` that sends each request with the connection's access token.
 *
 * On a 401 *that* token is reported as rejected, by its fingerprint, and the request is repeated once with
 * the next one. If there is none, the 401 is handed to the caller; unless only a person can help, such as by
 * connecting the account again: that is `TokenUnavailable`. A body that can be read only once is not repeated.
 */
export function fetchOf(tokens: Tokens, send: Fetch, which: Which, wish: TokenWish): Fetch {
  return async (input, init) => {
    const signal = init?.signal ?? (isRequest(input) ? input.signal : undefined) ?? undefined;
    const sent = await tokens.get(which, { ...wish, signal });
    const repeatable = isRepeatable(input, init);
    const response = await send(input, withToken(input, init, sent));
    if (response.status !== 401 || wentElsewhere(input, response)) {
      return response;
    }
    const next = await after(tokens, which, { ...wish, signal, rejected: sent.fingerprint });
    if (next === undefined || next.fingerprint === sent.fingerprint || !repeatable) {
      return response;
    }
    await response.body?.cancel();
    return send(input, withToken(input, init, next));
  };
}

async function after(tokens: Tokens, which: Which, wish: TokenWish): Promise<Token | undefined> {
  try {
    return await tokens.get(which, wish);
  } catch (error) {
    const needsPerson = error instanceof TokenUnavailable && error.retryAfterSeconds === null;
    if (needsPerson || !(error instanceof RefresherError)) {
      throw error;
    }
    return undefined;
  }
}

function withToken(input: Parameters<Fetch>[0], init: RequestInit | undefined, token: Token): RequestInit {
  const headers = new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined));
  headers.set("Authorization", token.header());
  return { ...init, headers };
}

/** A redirect to another server leaves the token behind: that one's 401 says nothing about it. */
function wentElsewhere(input: Parameters<Fetch>[0], response: Response): boolean {
  const asked = isRequest(input) ? input.url : String(input);
  return response.redirected && new URL(asked).origin !== new URL(response.url).origin;
}

/** Texts, bytes and forms can be sent again, a stream cannot; nor can the body of a `Request`, which is one. */
function isRepeatable(input: Parameters<Fetch>[0], init: RequestInit | undefined): boolean {
  const body = init?.body ?? (isRequest(input) ? input.body : null);
  if (body === null || typeof body === "string" || ArrayBuffer.isView(body)) {
    return true;
  }
  return [ArrayBuffer, URLSearchParams, FormData, Blob].some((kind) => body instanceof kind);
}

function isRequest(input: Parameters<Fetch>[0]): input is Request {
  return typeof input === "object" && "headers" in input;
}
