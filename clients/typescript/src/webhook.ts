/** Whether a webhook came from refresher, and what it tells: Standard Webhooks 1.0, docs/webhooks.md. */

import { SettingsError, UnverifiedWebhook } from "./errors.js";
import { Secret } from "./secret.js";

/** What refresher told. `id` is the same however often it comes: what you have seen, you may forget. */
export interface WebhookEvent {
  readonly id: string;
  /** What happened, such as `connection.reconnect_required`. */
  readonly type: string;
  readonly occurred_at: string;
  /** When this attempt left. */
  readonly sent_at: string;
  readonly data: {
    readonly connection_id?: string;
    readonly organization_id?: string | null;
    readonly provider?: string;
    readonly external_id?: string;
    readonly [more: string]: unknown;
  };
}

type Given = string | Secret;
type WebhookHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/**
 * Returns the event of a webhook that is signed by `secret`, or by one of several.
 *
 * `body` is what came, byte for byte: not JSON that was read and written again. Throws `UnverifiedWebhook`,
 * whose `code` is `incomplete` (a header is missing or garbled), `bad_time` (more than `toleranceSeconds`,
 * 300, from now), `bad_signature` (another secret, another body) or `bad_body` (signed, and no event);
 * `SettingsError` for a secret that is none.
 */
export async function verifyWebhook(
  body: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secret: Given | readonly Given[],
  options: { toleranceSeconds?: number; now?: Date } = {},
): Promise<WebhookEvent> {
  const keys = await Promise.all([secret].flat().map((one) => keyOf(one as Given)));
  if (keys.length === 0) {
    throw noSecret();
  }
  const [id, sent, signatures] = envelope(headers);
  const raw = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  const head = new TextEncoder().encode(`${id}.${sent}.`);
  const signed = new Uint8Array([...head, ...raw]);
  const right = await Promise.all(keys.flatMap((key) => signatures.map((one) => isRight(key, one, signed))));
  if (!right.includes(true)) {
    throw new UnverifiedWebhook(
      "bad_signature",
      "no signature of the webhook is right: another secret, or the body is not as it came",
    );
  }
  const off = Math.abs((options.now?.getTime() ?? Date.now()) / 1000 - Number(sent));
  const allowed = options.toleranceSeconds ?? 300;
  if (!(off <= allowed)) {
    throw new UnverifiedWebhook(
      "bad_time",
      `the webhook was sent ${off.toFixed(0)} s from now by this machine's clock, and ${allowed} s are allowed`,
    );
  }
  return event(id, sent, raw);
}

async function keyOf(secret: Given): Promise<CryptoKey> {
  const text = (secret instanceof Secret ? secret.reveal() : String(secret ?? "")).trim();
  const key = text.startsWith("whsec_") ? bytesOf(text.slice("whsec_".length)) : undefined;
  if (key === undefined || key.length === 0) {
    throw text === "" ? noSecret() : new SettingsError("a webhook secret is whsec_ and base64 behind it");
  }
  return crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function noSecret(): SettingsError {
  return new SettingsError("the webhook secret is missing: `refresher webhooks add URL` prints it, once");
}

function envelope(headers: WebhookHeaders): [string, string, string[]] {
  const entries = headers instanceof Headers ? [...headers] : Object.entries(headers);
  const found = new Map(entries.map(([name, value]) => [name.toLowerCase(), String(value ?? "")]));
  const [id, sent, signatures] = ["id", "timestamp", "signature"].map((name) => {
    const value = found.get(`webhook-${name}`);
    if (!value) {
      throw new UnverifiedWebhook("incomplete", `the header webhook-${name} is missing: no webhook of ours`);
    }
    return value;
  }) as [string, string, string];
  if (!/^[\x20-\x7e]+$/.test(id)) {
    throw new UnverifiedWebhook("incomplete", "the header webhook-id is no id of refresher's");
  }
  if (!/^\d{1,11}$/.test(sent)) {
    throw new UnverifiedWebhook("incomplete", "the header webhook-timestamp is no number of seconds");
  }
  return [id, sent, signatures.split(/\s+/)];
}

/** The comparison is that of WebCrypto: how long it takes tells nothing. */
async function isRight(key: CryptoKey, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const bytes = signature.startsWith("v1,") ? bytesOf(signature.slice("v1,".length)) : undefined;
  return bytes !== undefined && crypto.subtle.verify("HMAC", key, bytes, signed);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function event(id: string, sent: string, raw: Uint8Array): WebhookEvent {
  try {
    const { type, timestamp, data } = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    const isNamed = typeof type === "string" && typeof timestamp === "string" && !Number.isNaN(Date.parse(timestamp));
    if (isNamed && typeof data === "object" && data !== null && !Array.isArray(data)) {
      return { id, type, occurred_at: timestamp, sent_at: new Date(Number(sent) * 1000).toISOString(), data };
    }
  } catch {
    // It is told below, without what stood in it.
  }
  throw new UnverifiedWebhook("bad_body", "the body is signed, and is no event of refresher's");
}
