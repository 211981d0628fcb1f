import { type End, isNewsTo, outermost } from "./ends.ts";
import { TERMINAL_STATUSES } from "./facts-schema.ts";
import { type Fields, isLater } from "./registers.ts";
import { type Lifecycle, stands, statusOf } from "./status.ts";
import type { Facts, Json, StoredEvent, TerminalStatus } from "./types.ts";

/**
 * Why a trial ended as it did. The texts belong to that end: they are shown while it stands, and gone from a trial that
 * goes on, or that succeeded after all.
 */
export const REASON_KEYS = ["error_message", "error_type", "stacktrace"] as const;

export type Reason = End & { texts: Record<string, Json> };
export type Reasons = {
  /** The texts that any end has ever given. */
  named: readonly string[];
  /** By kind of end: the reason that was said last, and that which was accepted last. */
  said: Partial<Record<TerminalStatus, readonly Reason[]>>;
  /** By text: the latest word on its tag that no end gave, as an edit in MLflow. A value of null: it was taken away. */
  apart: Record<string, Apart>;
};
export type Apart = End & { value: string | null };
export const noReasons: Reasons = { named: [], said: {}, apart: {} };

/** The reason that an event gives for the end that it speaks of; null where it gives none. */
export function reasonIn({ seq, id, occurredAt: at, acceptedAt, facts }: StoredEvent): Reason | null {
  const { ends, fields = {} } = facts ?? {};
  const texts = Object.fromEntries(
    REASON_KEYS.flatMap((key) => (fields[key] === undefined ? [] : [[key, fields[key]]])),
  );
  return ends === undefined || Object.keys(texts).length === 0 ? null : { seq, acceptedAt, at, id, texts };
}

/** The reasons with one more, of an end of this kind. */
export function reasonsWith(
  { named, said, apart }: Reasons,
  status: TerminalStatus,
  reason: Reason,
): Reasons {
  const others = (said[status] ?? []).filter(({ id }) => id !== reason.id);
  return {
    named: [...new Set([...named, ...Object.keys(reason.texts)])].sort(),
    said: { ...said, [status]: outermost([...others, reason]) },
    apart,
  };
}

/**
 * The reasons in a state that an older build left, which had their texts among the fields: each is that of the end of the
 * same event, or of a failure before it.
 */
export function reasonsAmong(fields: Fields, { ends }: Lifecycle): { fields: Fields; reasons: Reasons } {
  const { texts = [], others = [] } = Object.groupBy(Object.entries(fields), ([name]) =>
    REASON_KEYS.some((key) => key === name) ? "texts" : "others",
  );
  let reasons = noReasons;
  for (const [id, own] of Map.groupBy(texts, ([, { id }]) => id)) {
    const status = TERMINAL_STATUSES.find((kind) => ends[kind]?.some((end) => end.id === id)) ?? "failed";
    const at = Math.max(...own.map(([, register]) => register.at));
    const said = Object.fromEntries(own.map(([name, { value }]) => [name, value]));
    reasons = reasonsWith(reasons, status, { seq: 0, acceptedAt: 0, at, id, texts: said });
  }
  return { fields: Object.fromEntries(others), reasons };
}

/** The reasons with a word on one of their tags by an event that gives no reason. */
export function reasonsApart(reasons: Reasons, key: string, word: Apart): Reasons {
  const isAbout = REASON_KEYS.some((reason) => reason === key);
  if (!isAbout || !isLater(word, reasons.apart[key])) return reasons;
  return { ...reasons, apart: { ...reasons.apart, [key]: word } };
}

/** The word on a reason's tag that stands over the reason itself, or null. */
export function standingApart(
  { lifecycle: { reset }, reasons }: { lifecycle: Lifecycle; reasons: Reasons },
  key: string,
  reason: Reason | null,
): Apart | null {
  const word = reasons.apart[key];
  if (!word) return null;
  const stands = reason?.texts[key] !== undefined ? isLater(word, reason) : !reset || isNewsTo(word, reset);
  return stands ? word : null;
}

/** The reason to be shown, or null. */
export function standingReason({
  lifecycle,
  reasons,
}: {
  lifecycle: Lifecycle;
  reasons: Reasons;
}): Reason | null {
  const status = statusOf(lifecycle);
  const said = status === "running" ? [] : (reasons.said[status] ?? []);
  return said.find((reason) => stands(lifecycle, reason)) ?? null;
}

/** The facts without what they say of the reason. */
export function withoutReason(facts: Facts, { texts }: Reason): Facts {
  const others = <T>(map: Record<string, T> = {}) =>
    Object.fromEntries(Object.entries(map).filter(([key]) => !Object.hasOwn(texts, key)));
  return { ...facts, fields: others(facts.fields), tags: others(facts.tags) };
}
