import { afterAll, beforeAll, expect, test } from "vitest";
import { playRound } from "../chaos/round.ts";
import { type Lab, openLab } from "../lib/lab.ts";

/** The short run: `npm run chaos` plays as many rounds as there is time for. */
let lab: Lab;
beforeAll(async () => {
  lab = await openLab({}, { main: "test/chaos/worker.ts" });
});
afterAll(() => lab?.close());

test("a round of chaos: everything acknowledged arrives once, and the backlog drains", {
  timeout: 300_000,
}, async () => {
  const round = await playRound(lab, 4, { trials: 4, steps: 25, gusts: 5 });
  expect(round.problems).toEqual([]);
  expect(round.acknowledged).toBeGreaterThan(0);
  expect(round.faults).toBeGreaterThan(20);
});
