import type { Context } from "hono";
import { type Checked, checkEvent, type Rejection } from "../domain/events.ts";
import { isMap } from "../domain/flatten.ts";
import { parseJson } from "../domain/json.ts";
import { MAX_EVENT_BYTES, MAX_REQUEST_BYTES, MAX_REQUEST_EVENTS } from "../domain/limits.ts";
import { invalid } from "../domain/problems.ts";
import { HttpFailure } from "../errors.ts";
import { errorText } from "../log.ts";
import type { AppEnv } from "./context.ts";

/** One item of a request: its parsed body, and what came of checking it. */
export type Item = { body: Record<string, unknown>; checked: Checked };

const NDJSON = new Set(["application/x-ndjson", "application/ndjson", "application/jsonl"]);

/** The events of a request: `single` when it was one object and wants the original's answer for one. */
export async function readItems(c: Context<AppEnv>): Promise<{ single: boolean; items: Item[] }> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type !== "application/json" && !NDJSON.has(type))
    throw new HttpFailure({
      kind: "unsupported_media_type",
      detail: `Content-Type must be application/json or application/x-ndjson, got ${type === "" ? "none" : type}.`,
    });
  const text = await readText(c);
  if (NDJSON.has(type))
    return {
      single: false,
      items: bounded(text.split("\n").filter((line) => line.trim() !== "")).map(readLine),
    };
  const value = tryParse(text);
  if (!value.ok) throw new HttpFailure({ kind: "rejected", rejection: value.rejection });
  if (Array.isArray(value.value))
    return { single: false, items: bounded(value.value).map((item) => readItem(item, text.length)) };
  return { single: true, items: [readItem(value.value, text.length)] };
}

/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const MAX_BYTES_A_CHAR = 3;

function bounded<T>(items: T[]): T[] {
  if (items.length > MAX_REQUEST_EVENTS)
    throw new HttpFailure({
      kind: "payload_too_large",
      detail: `A request may hold at most ${MAX_REQUEST_EVENTS} events; this one holds ${items.length}.`,
    });
  if (items.length === 0)
    throw new HttpFailure({
      kind: "invalid_request",
      problems: [invalid(["body"], "must hold at least one event", [])],
    });
  return items;
}

function readLine(line: string): Item {
  const value = tryParse(line);
  return value.ok
    ? readItem(value.value, line.length)
    : { body: {}, checked: { ok: false, rejection: value.rejection } };
}

function readItem(value: unknown, outerChars: number): Item {
  const checked = checkEvent(value);
  const body = isMap(value) ? value : {};
  // Measured only where the whole is large enough to hide a large part.
  if (!checked.ok || outerChars * MAX_BYTES_A_CHAR <= MAX_EVENT_BYTES || !checked.event.facts)
    return { body, checked };
  const bytes = new TextEncoder().encode(JSON.stringify(checked.event.facts)).length;
  return bytes <= MAX_EVENT_BYTES
    ? { body, checked }
    : { body, checked: { ok: false, rejection: tooLarge(bytes) } };
}

function tooLarge(bytes: number): Rejection {
  const rule = `may hold at most ${MAX_EVENT_BYTES} bytes, not counting metrics with a step`;
  return { status: 413, error: "event_too_large", problems: [invalid(["event"], rule, bytes)] };
}

function tryParse(text: string): { ok: true; value: unknown } | { ok: false; rejection: Rejection } {
  try {
    return { ok: true, value: parseJson(text) };
  } catch (error) {
    const problem = {
      field: "body",
      rule: `must be JSON (${errorText(error)})`,
      value: text === "" ? "nothing" : "something else",
    };
    return { ok: false, rejection: { status: 400, error: "invalid_json", problems: [problem] } };
  }
}

/** The body's text, read no further than the limit, whatever Content-Length says. */
async function readText(c: Context<AppEnv>): Promise<string> {
  const tooMuch = () =>
    new HttpFailure({
      kind: "payload_too_large",
      detail: `A request may hold at most ${MAX_REQUEST_BYTES} bytes.`,
    });
  if (Number(c.req.header("content-length") ?? 0) > MAX_REQUEST_BYTES) throw tooMuch();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw tooMuch();
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
