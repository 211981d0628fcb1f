import { expect, test } from "vitest";
import { type Cost, NO_COST } from "../../bench/cost.ts";
import { allIn, EVENTS_A_TRIAL, priceOfAMillion } from "../../bench/price.ts";
import prices from "../../bench/prices.json" with { type: "json" };

const cost = (some: Partial<Cost>): Cost => ({ ...NO_COST, ...some });

test.each([
  ["requests", cost({ invocations: 2 }), 0.6],
  ["messages, each written, read and deleted", cost({ queueOperations: 3 }), 1.2],
  ["rows read", cost({ rowsRead: 100 }), 0.1],
  ["rows written", cost({ rowsWritten: 12 }), 12],
  ["all of them", cost({ invocations: 2, queueOperations: 3, rowsRead: 100, rowsWritten: 12 }), 13.9],
  ["what is not billed", cost({ statements: 5, roundTrips: 5, sqlMs: 5 }), 0],
])("a million of something that takes %s has Cloudflare's price", (_, taken, dollars) => {
  expect(priceOfAMillion(taken, prices).all).toBeCloseTo(dollars);
});

test("an event bears its part of its trial's start and end, and what comes afterwards", () => {
  const way = { way: "any", events: 1, anEvent: cost({ rowsWritten: 5 }) };
  const all = allIn(way, cost({ rowsWritten: EVENTS_A_TRIAL }), cost({ rowsWritten: 2 }));
  expect(all.rowsWritten).toBe(8);
});
