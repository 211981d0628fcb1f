import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { alone } from "../../scripts/start/alone.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "start-"));
});
afterAll(() => rm(dir, { recursive: true }));

test("a second relay in a folder is refused, whatever its port, and leaves the first one alone", async () => {
  const lock = join(dir, "start.lock");
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
  const first = alone(lock, async () => {
    begin();
    await isOver;
  });
  await hasBegun;
  let runs = 0;
  const work = async () => void runs++;
  await expect(alone(lock, work)).rejects.toThrow("runs in this folder already");
  await stat(lock);
  end();
  await first;
  await alone(lock, work);
  expect(runs).toBe(1);
});
