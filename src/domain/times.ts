import { MAX_TIME_MS, MIN_TIME_MS } from "./limits.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
const MAX_OFFSET_MINUTES = 24 * 60 - 1;

const ISO_8601 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d):?(\d\d))$/;

const FORM_RULE = "must be an ISO 8601 time with a zone (2026-01-31T12:00:00Z) or epoch milliseconds";
const CALENDAR_RULE = "must be a time that the calendar has";

/** A moment in epoch milliseconds, however far from now, or the rule that was broken. */
export type Moment = { ms: number } | { rule: string };

/** Reads ISO 8601 with a zone, or whole epoch milliseconds. `Date.parse` would take 30 February for 2 March. */
export function readMoment(value: unknown): Moment {
  if (typeof value === "bigint") return { ms: Number(value) };
  if (typeof value === "number") return Number.isInteger(value) ? { ms: value } : { rule: FORM_RULE };
  const parts = typeof value === "string" ? ISO_8601.exec(value) : null;
  if (!parts) return { rule: FORM_RULE };
  const [year, month, day, hour, minute, second = 0] = parts
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const [fraction = "", sign = "+", hours = "0", minutes = "0"] = parts.slice(7);
  if (year === undefined || month === undefined || day === undefined) return { rule: FORM_RULE };
  if (hour === undefined || minute === undefined) return { rule: FORM_RULE };
  const offset = Number(hours) * 60 + Number(minutes);
  const isMidnight = hour === 24 && minute === 0 && second === 0 && /^0*$/.test(fraction);
  if (
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > daysOf(year, month) ||
    (hour > 23 && !isMidnight) ||
    minute > 59 ||
    second > 59 ||
    Number(minutes) > 59 ||
    offset > MAX_OFFSET_MINUTES
  )
    return { rule: CALENDAR_RULE };
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day);
  local.setUTCHours(hour, minute, second, Number(fraction.slice(0, 3).padEnd(3, "0")));
  return { ms: local.getTime() - (sign === "-" ? -offset : offset) * MINUTE_MS };
}

function daysOf(year: number, month: number): number {
  const last = new Date(0);
  last.setUTCFullYear(year, month, 0);
  return last.getUTCDate();
}

const YEAR_0_MS = -62_167_219_200_000;

/**
 * ISO 8601 of epoch milliseconds. MLflow takes any number for a run's times: what is beyond the years of four digits is
 * written as the nearest time within them.
 */
export function isoTime(ms: number): string {
  return new Date(Math.min(Math.max(ms, YEAR_0_MS), MAX_TIME_MS)).toISOString();
}

/**
 * Why a trainer's clock cannot have said this, with what it looks like; null for a plausible time.
 * @param now epoch milliseconds
 */
export function clockProblem(ms: number, now: number): string | null {
  const latest = Math.min(now + DAY_MS, MAX_TIME_MS);
  const isPlausible = (time: number) => time >= MIN_TIME_MS && time <= latest;
  if (isPlausible(ms)) return null;
  return `must be from 2000 to a day from now, in milliseconds where it is a number; it looks like ${likeness()}`;

  function likeness(): string {
    if (isPlausible(ms * SECOND_MS)) return "seconds";
    if (isPlausible(ms / 1_000)) return "microseconds";
    if (isPlausible(ms / 1_000_000)) return "nanoseconds";
    return ms < MIN_TIME_MS ? "a clock that was never set (a dead battery)" : "a clock that is ahead";
  }
}
