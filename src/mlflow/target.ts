import { failed, type Result } from "./failure.ts";

/** How calls sign in. Where both are configured, MLflow's own clients prefer basic to bearer. */
export type MlflowAuth =
  | { kind: "none" }
  | { kind: "basic"; username: string; password: string }
  | { kind: "bearer"; token: string };

/**
 * A shorter value of an extra header, such as "1" or "true", is no secret. In MLflow's records a shorter password is not
 * looked for either: it may be a word of theirs, such as "mlflow" or "admin", or a part of a number.
 */
const SHORTEST_SECRET = 8;
/** Before a credential in a header's value; whoever quotes the credential leaves it out. */
const SCHEME = /^(?:basic|bearer|token|api-?key) +/i;

/** `trackingUri` may carry a path prefix, as MLflow's own clients allow. `timeoutMs` covers a call with its body. */
export type MlflowSettings = {
  trackingUri: string;
  auth: MlflowAuth;
  extraHeaders: Record<string, string>;
  timeoutMs: number;
};

/**
 * Where calls go and with what: the server itself, its REST API, and of that the tracking part, each of both with a slash at its end; `clean` takes credentials
 * out of a message, `cleanRecord` out of what is to be whole but for them.
 */
export type Target = {
  server: string;
  api: string;
  base: string;
  headers: Headers;
  clean: (text: string) => string;
  cleanRecord: (text: string) => string;
};

/** Checks the settings once: an address without credentials in it, and headers that can be sent. */
export function readTarget({ trackingUri, auth, extraHeaders }: MlflowSettings): Result<Target> {
  if (!URL.canParse(trackingUri)) {
    return { ok: false, failure: failed("misconfigured", "The MLflow tracking URI is not a valid URL") };
  }
  const url = new URL(trackingUri);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return {
      ok: false,
      failure: failed("misconfigured", "The MLflow tracking URI is not an http or https URL"),
    };
  }
  const username = decode(url.username);
  const password = decode(url.password);
  const inUri: MlflowAuth = username || password ? { kind: "basic", username, password } : { kind: "none" };
  const authorization = authorize(auth.kind === "none" ? inUri : auth);
  const headers = toHeaders(extraHeaders, authorization);
  if (!headers) {
    return {
      ok: false,
      failure: failed("misconfigured", "A header configured for MLflow has an invalid name or value"),
    };
  }
  const server = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  const api = `${server}/api/2.0/`;
  const base = `${api}mlflow/`;
  const values = Object.values(extraHeaders).flatMap((value) => [value, value.replace(SCHEME, "")]);
  const long = values.filter((value) => value.length >= SHORTEST_SECRET);
  const secrets = [
    authorization?.split(" ", 2)[1] ?? "",
    ...secretsOf(auth),
    url.password,
    password,
    ...long,
  ];
  const longSecrets = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  const clean = (text: string) => redact(text, secrets);
  const cleanRecord = (text: string) => redact(text, longSecrets);
  return { ok: true, value: { server, api, base, headers, clean, cleanRecord } };
}

function toHeaders(extra: Record<string, string>, authorization: string | null): Headers | null {
  try {
    const headers = new Headers(extra);
    headers.set("accept", "application/json");
    if (authorization) headers.set("authorization", authorization);
    return headers;
  } catch {
    return null; // the runtime's error would quote the value
  }
}

function authorize(auth: MlflowAuth): string | null {
  if (auth.kind === "bearer") return `Bearer ${auth.token}`;
  if (auth.kind === "none") return null;
  const bytes = new TextEncoder().encode(`${auth.username}:${auth.password}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}

function secretsOf(auth: MlflowAuth): string[] {
  if (auth.kind === "bearer") return [auth.token];
  return auth.kind === "basic" ? [auth.password] : [];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign is meant as one
  }
}

/** A server may quote what it was sent. Longest first: of one that another is a part of the rest would be left. */
function redact(message: string, secrets: string[]): string {
  return secrets
    .filter(Boolean)
    .flatMap(written)
    .sort((one, other) => other.length - one.length)
    .reduce((text, secret) => text.replaceAll(secret, "[redacted]"), message);
}

/** A text as it is, and as it stands in JSON, of which Python's has ASCII only. */
function written(text: string): string[] {
  const quoted = JSON.stringify(text).slice(1, -1);
  const ascii = quoted.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return [...new Set([ascii, quoted, text])];
}
