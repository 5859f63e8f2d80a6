/** What the tests share: where a refresher runs, its provider, and servers of their own. */

import { execFileSync } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { after } from "node:test";
import { Refresher, type Settings } from "../src/index.js";

const variable = (name: string): string => process.env[name] ?? "";

/** Why a test that needs a running refresher cannot run here; false where it can. */
export const lacksRefresher = variable("TEST_PROVIDER_URL") ? false : "it needs a running refresher: `make typescript`";
export const lacksVectors = variable("TEST_VECTORS") ? false : "it needs what Python made: `make typescript`";
export const returnUrl = variable("TEST_RETURN_URL");
export const provider = variable("TEST_PROVIDER_URL");

export interface Vectors {
  ids: { organizationId: string; provider: string; externalId: string; id: string }[];
  webhooks: { body: string; headers: Record<string, string>; secret: string; now: string }[];
}

export function vectors(): Vectors {
  return JSON.parse(readFileSync(variable("TEST_VECTORS"), "utf8")) as Vectors;
}

/** A client of the running refresher, with a key of one organization. */
export function refresher(settings: Settings = {}): Refresher {
  return new Refresher(settings);
}

/** A client with a key of all organizations. */
export function operator(): Refresher {
  return new Refresher({ apiKey: variable("TEST_ADMIN_KEY") });
}

async function admin<T>(method: string, path: string, body?: object): Promise<T> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
  const response = await fetch(`${provider}/admin/${path}`, init);
  return (await response.json()) as T;
}

interface Grant {
  external_id: string;
  access_token: string;
  refresh_token: string;
}

/** What an application knows after an OAuth dance with a new account. */
export async function fields(more: object = {}) {
  const [grant] = await admin<Grant[]>("POST", "grants", { count: 1 });
  const { external_id, access_token, refresh_token } = grant!;
  return { provider: "acme", external_id, access_token, refresh_token, expires_in: 3600, ...more };
}

/** How many refreshes the provider was asked for so far, and how many tokens its API refused. */
export function counted(): Promise<{ requests: number; resource_refused: number }> {
  return admin("GET", "ledger/summary");
}

/** Has the provider end one access token, and nothing else (RFC 7009). */
export async function endAccessToken(token: string): Promise<void> {
  const body = new URLSearchParams({ token, client_id: "fake-client", client_secret: "fake-secret" });
  const response = await fetch(`${provider}/revoke`, { method: "POST", body });
  if (!response.ok) {
    throw new Error(`the provider revoked nothing: ${response.status}`);
  }
}

/** Has the provider end an account's grant. */
export async function endGrant(external_id: string): Promise<void> {
  await admin("POST", "revoke", { external_id });
}

/** Serves on a port of its own until the tests of the file have run; returns its address. */
export async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

/** Runs a program of Node's in an environment of its own; returns what it printed. */
export function runs(program: string, env: Record<string, string>): string {
  const words = ["--input-type=module", "--eval", program];
  return execFileSync(process.execPath, words, { env: { PATH: variable("PATH"), ...env }, encoding: "utf8" });
}
