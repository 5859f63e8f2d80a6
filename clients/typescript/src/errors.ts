/** What goes wrong, each with one sentence that a person can act on. */

/** Where an error stands in the API's answer (RFC 9457). */
export interface Told {
  /** The HTTP status; null where no answer came, or none was asked for. */
  readonly status?: number | null;
  /** How long to wait before asking again; null where waiting does not help, or nobody knows. */
  readonly retryAfterSeconds?: number | null;
}

/** Superclass of all. `code` is a word that does not change between versions: `GET /docs` has them all. */
export class RefresherError extends Error {
  override readonly name: string = "RefresherError";
  readonly code: string;
  readonly status: number | null;
  readonly retryAfterSeconds: number | null;

  constructor(code: string, sentence: string, told: Told = {}) {
    super(sentence);
    this.code = code;
    this.status = told.status ?? null;
    this.retryAfterSeconds = told.retryAfterSeconds ?? null;
  }
}

/** What the client was made with, or a webhook secret, is missing or wrong. */
export class SettingsError extends RefresherError {
  override readonly name = "SettingsError";

  constructor(sentence: string) {
    super("invalid_settings", sentence);
  }
}

/** No valid token of a connection can be had now; `code` tells why, such as `reconnect_required`. */
export class TokenUnavailable extends RefresherError {
  override readonly name = "TokenUnavailable";
  /** The connection, such as for `connect.begin({ connection_id })`. */
  readonly connectionId: string;

  constructor(connectionId: string, code: string, sentence: string, told: Told = {}) {
    super(code, sentence, told);
    this.connectionId = connectionId;
  }
}

/** The API cannot be reached (`unreachable`, `timed_out`), or is in trouble itself (5xx). */
export class ApiUnavailable extends RefresherError {
  override readonly name = "ApiUnavailable";
}

/** A webhook is not one of refresher's, or not as it was sent; `code` tells why. */
export class UnverifiedWebhook extends RefresherError {
  override readonly name = "UnverifiedWebhook";
}
