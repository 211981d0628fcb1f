import type { Rejection } from "../../domain/events.ts";
import { type NumberTexts, parseItems, TOO_DEEP_RULE } from "../../domain/json.ts";
import type { Doubled } from "../../domain/json-names.ts";
import { type Scan, scanJson } from "../../domain/json-scan.ts";
import { MAX_REQUEST_EVENTS, MAX_REQUEST_VALUES } from "../../domain/limits.ts";
import { shownPath } from "../../domain/shown.ts";
import { HttpFailure } from "../../errors.ts";
import { errorText } from "../../log.ts";
import { utf8 } from "../door/request-bytes.ts";

/** An item as it was parsed, or why it cannot be one. */
export type Parsed = {
  value: unknown;
  texts: NumberTexts;
  doubled?: Doubled | undefined;
  rejection: Rejection | null;
};

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const BLANKS = new Set([LINE_FEED, CARRIAGE_RETURN, TAB, SPACE]);

/**
 * The items of a JSON document: those of a list, or the `single` value that it is.
 * @throws HttpFailure where it is not JSON, or more of it than fits
 */
export function parseDocument(bytes: Uint8Array): { single: boolean; parsed: Parsed[] } {
  const text = utf8(bytes);
  if (text === null) throw new HttpFailure({ kind: "rejected", rejection: NOT_UTF8 });
  const scan = scanJson(text);
  if (scan.values > MAX_REQUEST_VALUES) throw tooMuchInIt();
  const { value, deep, texts, rejection } = tryParse(scan);
  const { doubled } = scan;
  if (rejection) throw new HttpFailure({ kind: "rejected", rejection });
  const single = !Array.isArray(value);
  const items: unknown[] = single ? [value] : value;
  return {
    single,
    parsed: items.map((item, index) => {
      const field = deep.get(index);
      return {
        value: item,
        texts,
        doubled: doubled.get(index),
        rejection: field === undefined ? null : tooDeep(field),
      };
    }),
  };
}

/**
 * The items of NDJSON, each line for itself: what is wrong with one, down to its bytes, costs no other.
 * @throws HttpFailure for more than fits
 */
export function parseLines(bytes: Uint8Array): Parsed[] {
  let values = 0;
  return linesOf(bytes).map((line) => {
    const text = utf8(line);
    if (text === null) return { value: null, texts: NO_TEXTS, rejection: NOT_UTF8 };
    const scan = scanJson(text);
    values += scan.values;
    if (values > MAX_REQUEST_VALUES) throw tooMuchInIt();
    const { value, deep, texts, rejection } = tryParse(scan);
    const [field] = deep.values();
    const [doubled] = scan.doubled.values();
    return { value, texts, doubled, rejection: field === undefined ? rejection : tooDeep(field) };
  });
}

/** The lines that hold anything. Those past the limit are only counted. */
function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let found = 0;
  for (let from = 0; from < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, from);
    const end = feed < 0 ? bytes.length : feed;
    let first = from;
    while (first < end && BLANKS.has(bytes[first] ?? SPACE)) first++;
    if (first < end && ++found <= MAX_REQUEST_EVENTS) lines.push(bytes.subarray(first, end));
    from = end + 1;
  }
  if (found > MAX_REQUEST_EVENTS) throw tooMany(found);
  return lines;
}

const NO_DEPTH: ReadonlyMap<number, string> = new Map();
const NO_TEXTS: NumberTexts = new Map();

function tryParse(scan: Scan): Parsed & { deep: ReadonlyMap<number, string> } {
  try {
    const { value, texts, deep } = parseItems(scan);
    return { value, texts, deep, rejection: null };
  } catch (error) {
    const value = scan.text === "" ? "nothing" : "something else";
    const rejection = notJson(`must be JSON (${errorText(error)})`, value);
    return { value: null, texts: NO_TEXTS, rejection, deep: NO_DEPTH };
  }
}

function notJson(rule: string, value: string): Rejection {
  return { status: 400, error: "invalid_json", problems: [{ field: "body", rule, value }] };
}

const NOT_UTF8 = notJson("must be UTF-8", "other bytes");

function tooDeep(field: string): Rejection {
  const name = field === "" ? "event" : shownPath([field]);
  const problem = { field: name, rule: TOO_DEEP_RULE, value: "something deeper" };
  return { status: 422, error: "event_construction_failed", problems: [problem] };
}

/** The answer to a request of too many events. */
export function tooMany(events: number): HttpFailure {
  return tooLarge(`A request may hold at most ${MAX_REQUEST_EVENTS} events; this one holds ${events}.`);
}

function tooMuchInIt(): HttpFailure {
  const what = "values (numbers, texts, lists and objects)";
  return tooLarge(`A request may hold at most ${MAX_REQUEST_VALUES} ${what}. Send fewer events at once.`);
}

function tooLarge(detail: string): HttpFailure {
  return new HttpFailure({ kind: "payload_too_large", detail });
}
