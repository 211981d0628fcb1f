import type { Context } from "hono";
import { scanJson } from "../../domain/json-scan.ts";
import { MAX_REQUEST_BYTES } from "../../domain/limits.ts";
import { parseJson, stringifyJson } from "../../mlflow/json.ts";
import type { PassedRequest } from "../../mlflow/pass-on.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { readBytes, utf8 } from "../../routes/door/request-bytes.ts";
import { Refusal } from "../refusal.ts";
import { readBody } from "../requests/body.ts";
import type { Endpoint } from "./endpoint.ts";
import { pathOf, segmentsIn } from "./path.ts";
import { pathBelowProxy, type Swap, swapArtifactPath, swapField, swapIn, swapSegments } from "./swap.ts";

/** A client's request, read as far as ids stand in it. */

/** Of a client's headers these reach MLflow: none that signs in, and none that says where a request comes from. */
const PASSED_HEADERS = [
  "accept",
  "content-type",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "range",
  "x-mlflow-client-version",
];
const EXPERIMENT_HEADER = "x-mlflow-experiment-id";

export type Asked = {
  method: string;
  segments: readonly string[];
  query: readonly [string, string][];
  headers: Headers;
  /** Null where there is none, or none that is looked into. */
  body: { json: object; text: string } | null;
};

/**
 * @throws Refusal INVALID_PARAMETER_VALUE
 * @throws HttpFailure payload_too_large for JSON that is too much to be looked into
 */
export async function readAsked(
  c: Context<AppEnv>,
  endpoint: Endpoint,
  segments: readonly string[],
): Promise<Asked> {
  const headers = new Headers();
  for (const name of [...PASSED_HEADERS, EXPERIMENT_HEADER]) {
    const value = c.req.header(name);
    if (value !== undefined) headers.set(name, value);
  }
  const { method } = c.req;
  const query = [...new URL(c.req.url).searchParams];
  if (endpoint.body === "bytes") {
    const coding = c.req.header("content-encoding");
    if (coding !== undefined) headers.set("content-encoding", coding);
  }
  const isJson = endpoint.body === "json" && method !== "GET" && method !== "HEAD";
  return { method, segments, query, headers, body: isJson ? await readJson(c) : null };
}

async function readJson(c: Context<AppEnv>): Promise<Asked["body"]> {
  const bytes = await readBytes(c, MAX_REQUEST_BYTES);
  if (bytes.byteLength === 0) return null;
  readBody(c.req.header("content-type") ?? null, bytes);
  const text = utf8(bytes) ?? "";
  const json = parseJson(text);
  if (isObject(json)) return { text, json };
  // Python's bare words become what MLflow understands, and a text within a text what it holds.
  const quoted = parseJson(scanJson(text).text);
  const held = typeof quoted === "string" ? parseJson(scanJson(quoted).text) : quoted;
  const object = isObject(held) ? held : {};
  return { text: stringifyJson(object), json: object };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** The request as MLflow is to have it. */
export function swapAsked(
  { method, segments, query, headers, body }: Asked,
  endpoint: Endpoint,
  swap: Swap,
): Omit<PassedRequest, "patienceMs"> {
  return {
    method,
    path: addressOf(segments, query, endpoint, swap),
    headers: swapHeaders(headers, swap),
    body: body === null ? null : swapBody(body, swap),
  };
}

/** What holds no id goes on as it came. */
function swapBody({ json, text }: { json: object; text: string }, swap: Swap): string {
  const swapped = swapIn(json, swap);
  return swapped === json ? text : stringifyJson(swapped);
}

function swapHeaders(headers: Headers, swap: Swap): Headers {
  const experiment = headers.get(EXPERIMENT_HEADER);
  if (experiment === null) return headers;
  const swapped = new Headers(headers);
  swapped.set(EXPERIMENT_HEADER, swap.experiment(experiment));
  return swapped;
}

function addressOf(
  segments: readonly string[],
  query: Asked["query"],
  { artifactAt }: Endpoint,
  swap: Swap,
): string {
  const at = artifactAt ?? segments.length;
  const below = segments.slice(at);
  const path = [
    ...swapSegments(segments.slice(0, at), swap),
    ...(below.length === 0 ? [] : belowProxy(below, swap)),
  ];
  const isListing = artifactAt !== null && below.length === 0;
  const swapped = query.map(([name, value]) => [
    name,
    isListing && name === "path" ? swapListed(value, swap) : swapField(name, value, swap),
  ]);
  return `${pathOf(path)}${swapped.length === 0 ? "" : `?${new URLSearchParams(swapped)}`}`;
}

function swapListed(path: string, swap: Swap): string {
  const segments = segmentsIn(path);
  return segments.length === 0 ? path : belowProxy(segments, swap).join("/");
}

function belowProxy(segments: readonly string[], swap: Swap): string[] {
  const uri = swapArtifactPath(segments, swap);
  const path = pathBelowProxy(uri);
  if (path !== null) return path.split("/");
  throw new Refusal(
    "NOT_IMPLEMENTED",
    "MLflow keeps this run's artifacts where it does not serve them itself, so that they cannot go through the relay: its server is to run with --serve-artifacts.",
  );
}
