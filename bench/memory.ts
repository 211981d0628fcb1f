import { spawnSync } from "node:child_process";

const SAMPLE_MS = 500;

/** How long something took, and what a program held in memory: MB before, and at most at any half second. */
export type Watched = { seconds: number; beforeMb: number; mostMb: number };

/**
 * Watches workerd's memory while something is done.
 * @param group its process group
 */
export async function watched(group: number, work: () => Promise<unknown>): Promise<Watched> {
  const beforeMb = workerdMb(group);
  let mostMb = beforeMb;
  const timer = setInterval(() => {
    mostMb = Math.max(mostMb, workerdMb(group));
  }, SAMPLE_MS);
  const begin = performance.now();
  try {
    await work();
    return { seconds: (performance.now() - begin) / 1_000, beforeMb, mostMb };
  } finally {
    clearInterval(timer);
  }
}

/** What the system counts as its resident set. */
function workerdMb(group: number): number {
  const { stdout } = spawnSync("ps", ["-eo", "pgid=,rss=,comm="], { encoding: "utf8" });
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([pgid, , name]) => Number(pgid) === group && name === "workerd")
    .reduce((sum, [, kb]) => sum + Number(kb) / 1_024, 0);
}
