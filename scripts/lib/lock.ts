import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 500;
/** A lock without an owner's pid is one being taken right now, or one whose taker died in between. */
const OWNERLESS_MS = 10_000;

/**
 * Runs `work` while holding a lock directory, so that two processes never do it at once. A lock left by a process
 * that no longer exists is taken over (two that find it in the same instant may both go on: accepted, it takes a crash
 * and a coincidence).
 * @param onWait called every 500 ms while another process holds the lock
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait: () => void): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  while (!(await tryTake(path))) {
    if (await isStale(path)) await rm(path, { recursive: true, force: true });
    else {
      onWait();
      await sleep(POLL_MS);
    }
  }
  try {
    return await work();
  } finally {
    await rm(path, { recursive: true, force: true });
  }
}

async function tryTake(path: string): Promise<boolean> {
  try {
    await mkdir(path); // atomic: exactly one caller succeeds
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
  await writeFile(join(path, "pid"), String(process.pid));
  return true;
}

async function isStale(path: string): Promise<boolean> {
  const pid = Number(await readFile(join(path, "pid"), "utf8").catch(() => ""));
  if (pid > 0 && pid !== process.pid) return !isAlive(pid);
  const made = await stat(path).catch(() => null);
  if (made === null) return false;
  // In a container that is started anew a process has the number that its forerunner had.
  return pid > 0 ? made.mtimeMs < performance.timeOrigin : Date.now() - made.mtimeMs > OWNERLESS_MS;
}

/** True while a process (or, with a negative id, any member of a process group) exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM"); // exists, but belongs to someone else
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
