/** Which connection is meant: by its id, or by the three names that make the id. */

import { RefresherError } from "./errors.js";

/** A connection by its names. */
export interface Account {
  readonly organizationId: string;
  readonly provider: string;
  readonly externalId: string;
}

export type Which = string | Account;

const NAMESPACE = "7b0d2a4e5c0f4c539f0e0f6d1b7c9a11";
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

/** Returns a connection's id; no request is made. A triple has the same one always (RFC 9562, UUIDv5). */
export async function connectionId(which: Which): Promise<string> {
  if (typeof which === "string") {
    if (!UUID.test(which)) {
      throw new RefresherError(
        "no_such_connection",
        "a connection's id is a UUID: the one that register() answered",
      );
    }
    return which.toLowerCase();
  }
  const names = [which.organizationId, which.provider, which.externalId];
  if (!names.every((name) => typeof name === "string" && name !== "")) {
    throw new RefresherError(
      "no_such_connection",
      "a connection is named by its id, or by organizationId, provider and externalId",
    );
  }
  // The separator cannot occur in a name: control characters are refused.
  const named = [...bytesOf(NAMESPACE), ...new TextEncoder().encode(names.join("\x1f"))];
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-1", new Uint8Array(named)));
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = Array.from(hash.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function bytesOf(hex: string): number[] {
  return hex.match(/../g)!.map((pair) => parseInt(pair, 16));
}
