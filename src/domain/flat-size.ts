import type { CheckedEvent } from "./reading.ts";

/** What a row of a metric point takes beside its name, in about. */
const POINT_BYTES = 100;

/** What an event comes to in the journal: its facts as JSON, and its metric points. Flattened names count as often as they occur. */
export function flatSize({ facts, points }: Pick<CheckedEvent, "facts" | "points">) {
  return {
    facts: facts === null ? 0 : utf8Length(JSON.stringify(facts)),
    points: points.reduce((bytes, point) => bytes + pointBytes(point), 0),
  };
}

/** What a metric with a step comes to in the journal. */
export function pointBytes({ key }: { key: string }): number {
  return utf8Length(key) + POINT_BYTES;
}

/** Bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A pair of surrogates takes four bytes: two for each half.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
}
