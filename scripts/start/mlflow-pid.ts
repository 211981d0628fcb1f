import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAlive } from "../lib/lock.ts";
import { ROOT } from "../lib/wrangler.ts";

/** Which process is the MLflow of `npm start`, for the demo, which stops it. */
const FILE = join(ROOT, ".data", "mlflow.pid");

export async function noteMlflow({ uri, pid }: { uri: string; pid: number }): Promise<void> {
  await mkdir(dirname(FILE), { recursive: true });
  await writeFile(FILE, `${pid} ${uri}`);
}

export async function forgetMlflow(): Promise<void> {
  await rm(FILE, { force: true });
}

/** The leader of its process group; null where the MLflow at `uri` is not one of `npm start`. */
export async function ownMlflow(uri: string): Promise<number | null> {
  const [pid, at] = (await readFile(FILE, "utf8").catch(() => "")).split(" ");
  return at === uri && isAlive(Number(pid)) ? Number(pid) : null;
}
