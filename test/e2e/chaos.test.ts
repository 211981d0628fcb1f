import { afterAll, beforeAll, expect, test } from "vitest";
import { playRound } from "../chaos/round.ts";
import { openChaosLab } from "../chaos/storm.ts";
import { FROZEN_CREATES, makeStorm } from "../chaos/weather.ts";
import { type PostgresLab, whatIsMade } from "./lab.ts";

let lab: PostgresLab;
beforeAll(async () => {
  lab = await openChaosLab(await whatIsMade());
});
afterAll(() => lab?.close());

test("a round of chaos: what was acknowledged arrives once, and the backlog drains", async () => {
  const seed = 4;
  const round = await playRound(lab, seed, { trials: 4, steps: 25 }, makeStorm(seed, 5));
  expect(round.problems).toEqual([]);
  expect(round.acknowledged).toBeGreaterThan(0);
  expect(round.faults).toBeGreaterThan(20);
});

test("whoever stood still until another had the lease makes no second run", async () => {
  const round = await playRound(lab, 201, { trials: 12, steps: 2 }, FROZEN_CREATES);
  expect(round.problems).toEqual([]);
  expect(round.deletedRuns).toBe(0);
});
