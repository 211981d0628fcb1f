import type { Context } from "hono";
import { type Checked, checkEvent } from "../../domain/events.ts";
import { fitted } from "../../domain/fitted.ts";
import { flatSize } from "../../domain/flat-size.ts";
import { isMap } from "../../domain/flatten.ts";
import {
  MAX_EVENT_POINT_BYTES,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_EVENTS,
  MAX_REQUEST_FLAT_BYTES,
  MAX_REQUEST_WARNINGS,
} from "../../domain/limits.ts";
import { invalid } from "../../domain/problems.ts";
import type { CheckedEvent } from "../../domain/reading.ts";
import { HttpFailure } from "../../errors.ts";
import type { AppEnv } from "../door/context.ts";
import { readBytes, readType } from "../door/request-bytes.ts";
import { type Parsed, parseDocument, parseLines, tooMany } from "./parse-items.ts";

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
  let left = MAX_REQUEST_WARNINGS;
  const items = parsed.map((one) => {
    const { item, bytes } = toItem(one, now, Math.max(1, left));
    if (item.checked.ok) left -= item.checked.event.warnings.length;
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

/** The item with at most so many of its warnings, and the bytes that the journal would take for it. */
function toItem({ value, texts, doubled, rejection }: Parsed, now: number, most: number) {
  const body = isMap(value) ? value : {};
  const checked: Checked =
    rejection === null ? checkEvent(value, now, texts, doubled) : { ok: false, rejection };
  if (!checked.ok) return itemOf(checked);
  const event = sayingAtMost(fitted(checked.event), most);
  const { facts, points } = flatSize(event);
  if (points > MAX_EVENT_POINT_BYTES) {
    const rule = `may hold at most ${MAX_EVENT_POINT_BYTES} bytes of metrics with a step, names flattened`;
    const problems = [invalid(["event"], rule, points)];
    return itemOf({ ok: false, rejection: { status: 413, error: "event_too_large", problems } });
  }
  return itemOf({ ok: true, event }, facts + points);

  function itemOf(checked: Checked, bytes = 0): { item: Item; bytes: number } {
    return { item: { body, checked }, bytes };
  }
}

function sayingAtMost(event: CheckedEvent, most: number): CheckedEvent {
  const more = event.warnings.length - most;
  if (more <= 0) return event;
  return { ...event, warnings: event.warnings.slice(0, most), unsaid: event.unsaid + more };
}
