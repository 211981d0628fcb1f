import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { isoTime, readMoment } from "../../src/domain/times.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const DAY_MS = 86_400_000;

function at(occurred_at: unknown) {
  return checkEvent({ event: "ml.trial.skipped", model_run_id: "m", trial_id: "t", occurred_at }, NOW);
}

test("a run's time that no calendar has is written as the nearest of four digits' years", () => {
  expect(isoTime(1_000)).toBe("1970-01-01T00:00:01.000Z");
  expect(isoTime(-1)).toBe("1969-12-31T23:59:59.999Z");
  expect(isoTime(Number.MAX_SAFE_INTEGER)).toBe("9999-12-31T23:59:59.999Z");
  expect(isoTime(Number.MIN_SAFE_INTEGER)).toBe("0000-01-01T00:00:00.000Z");
});

describe("a time", () => {
  test.each([
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"],
    ["2026-01-31T12:00:00.123456+01:00", "2026-01-31T11:00:00.123Z"],
    ["2026-01-31 12:00-0530", "2026-01-31T17:30:00Z"],
    ["2026-01-31t12:00:00z", "2026-01-31T12:00:00Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"],
    ["2026-01-31T24:00:00Z", "2026-02-01T00:00:00Z"],
    ["2026-03-01T00:30:00+14:00", "2026-02-28T10:30:00Z"],
    [1_764_000_000_000, "2025-11-24T16:00:00Z"],
    [NOW + DAY_MS, "2026-06-02T12:00:00Z"],
    [946_684_800_000, "2000-01-01T00:00:00Z"],
  ])("%s is taken", (value, instant) => {
    expect(at(value)).toMatchObject({ ok: true, event: { occurredAt: Date.parse(instant), warnings: [] } });
  });

  test.each([
    [1_764_000_000_000.7, 1_764_000_000_001],
    ["1764000000000", 1_764_000_000_000],
  ])("%s is taken in another form", (value, ms) => {
    expect(at(value)).toMatchObject({
      ok: true,
      event: { occurredAt: ms, warnings: [{ field: "occurred_at", action: "converted" }] },
    });
  });

  test.each([
    [1_764_000_000, "seconds"],
    [1_764_000_000.123, "seconds"],
    ["1764000000", "seconds"],
    ["1970-01-21T10:00:00Z", "seconds"],
    [1_764_000_000_000_000, "microseconds"],
    ["1764000000000000", "microseconds"],
    [1_764_000_000_000_000_000n, "nanoseconds"],
    [0, "a dead battery"],
    [-1, "a dead battery"],
    ["1970-01-01T00:03:00Z", "a dead battery"],
    ["1980-01-06T00:00:00Z", "a dead battery"],
    ["1999-12-31T23:59:59.999Z", "a dead battery"],
    [NOW + DAY_MS + 1, "a clock that is ahead"],
    ["2099-01-01T00:00:00Z", "a clock that is ahead"],
    [Number.MAX_VALUE, "a clock that is ahead"],
  ])("%s is refused, with what it looks like: %s", (value, like) => {
    expect(at(value)).toMatchObject({
      ok: false,
      rejection: { status: 422, problems: [{ field: "occurred_at", rule: expect.stringContaining(like) }] },
    });
  });

  test.each([
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T25:00:00Z",
    "2026-01-01T24:00:01Z",
    "2026-01-01T12:60:00Z",
    "2026-01-01T12:00:60Z",
    "2026-01-01T12:00:00+24:00",
    "2026-01-01T12:00:00+01:60",
  ])("%s is refused, since no calendar has it", (value) => {
    expect(at(value)).toMatchObject({
      ok: false,
      rejection: {
        status: 422,
        problems: [{ field: "occurred_at", rule: expect.stringContaining("calendar") }],
      },
    });
  });

  test.each([
    "2026-01-01T12:00:00",
    "2026-01-01",
    "yesterday",
    "",
    true,
    [1],
    { ms: 1 },
    "2026-01-01T12:00:00 Z",
  ])("%j is refused, since its form is not known", (value) => {
    expect(at(value)).toMatchObject({
      ok: false,
      rejection: {
        status: 422,
        problems: [{ field: "occurred_at", rule: expect.stringContaining("ISO 8601") }],
      },
    });
  });

  test("as JavaScript writes it is read as what it was", () => {
    const dates = fc.date({ min: new Date(0), max: new Date(253_402_300_799_999), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        expect(readMoment(date.toISOString())).toEqual({ ms: date.getTime() });
      }),
    );
  });

  test("of any day is read as that day, or not at all", () => {
    const two = (n: number) => String(n).padStart(2, "0");
    const part = (max: number) => fc.integer({ min: 0, max });
    fc.assert(
      fc.property(fc.integer({ min: 1970, max: 9999 }), part(13), part(32), (year, month, day) => {
        const text = `${year}-${two(month)}-${two(day)}`;
        const read = readMoment(`${text}T00:00:00Z`);
        if ("ms" in read) expect(new Date(read.ms).toISOString().slice(0, 10)).toBe(text);
        else expect(new Date(Date.UTC(year, month - 1, day)).toISOString().slice(0, 10)).not.toBe(text);
      }),
    );
  });
});
