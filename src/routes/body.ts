import type { Context } from "hono";
import { type Checked, checkEvent, type Rejection } from "../domain/events.ts";
import { flatSize } from "../domain/flat-size.ts";
import { isMap } from "../domain/flatten.ts";
import {
  MAX_EVENT_BYTES,
  MAX_EVENT_POINT_BYTES,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_EVENTS,
  MAX_REQUEST_FLAT_BYTES,
} from "../domain/limits.ts";
import { invalid } from "../domain/problems.ts";
import { HttpFailure } from "../errors.ts";
import type { AppEnv } from "./context.ts";
import { type Parsed, parseDocument, parseLines, tooMany } from "./parse-items.ts";
import { readBytes, readType } from "./request-bytes.ts";

/** One item of a request: its parsed body, and what came of checking it. */
export type Item = { body: Record<string, unknown>; checked: Checked };

const JSON_TYPE = "application/json";
const NDJSON_TYPES = ["application/x-ndjson", "application/ndjson", "application/jsonl"];

/** The events of a request: `single` when it was one object and wants the original's answer for one. */
export async function readItems(c: Context<AppEnv>): Promise<{ single: boolean; items: Item[] }> {
  const type = readType(c, [JSON_TYPE, ...NDJSON_TYPES]);
  const bytes = await readBytes(c, MAX_REQUEST_BYTES);
  const { single, parsed } =
    type === JSON_TYPE ? parseDocument(bytes) : { single: false, parsed: parseLines(bytes) };
  if (parsed.length === 0)
    throw new HttpFailure({
      kind: "invalid_request",
      problems: [invalid(["body"], "must hold at least one event", [])],
    });
  if (parsed.length > MAX_REQUEST_EVENTS) throw tooMany(parsed.length);
  const now = c.var.relay.now();
  let flatBytes = 0;
  const items = parsed.map((one) => {
    const { item, bytes } = toItem(one, now);
    flatBytes += bytes;
    if (flatBytes > MAX_REQUEST_FLAT_BYTES)
      throw new HttpFailure({
        kind: "payload_too_large",
        detail: `A request may come to at most ${MAX_REQUEST_FLAT_BYTES} bytes once the names in it are flattened. Send fewer events at once.`,
      });
    return item;
  });
  return { single, items };
}

/** The item, and the bytes that the journal would take for it. */
function toItem({ value, texts, rejection }: Parsed, now: number): { item: Item; bytes: number } {
  const body = isMap(value) ? value : {};
  const checked: Checked = rejection === null ? checkEvent(value, now, texts) : { ok: false, rejection };
  if (!checked.ok) return { item: { body, checked }, bytes: 0 };
  const { facts, points } = flatSize(checked.event);
  if (facts > MAX_EVENT_BYTES)
    return refused(`may hold at most ${MAX_EVENT_BYTES} bytes, not counting metrics with a step`, facts);
  if (points > MAX_EVENT_POINT_BYTES)
    return refused(`may hold at most ${MAX_EVENT_POINT_BYTES} bytes of metrics with a step`, points);
  return { item: { body, checked }, bytes: facts + points };

  function refused(rule: string, bytes: number) {
    const rejection: Rejection = {
      status: 413,
      error: "event_too_large",
      problems: [invalid(["event"], `${rule}, names flattened`, bytes)],
    };
    return { item: { body, checked: { ok: false as const, rejection } }, bytes: 0 };
  }
}
