import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { type Random, seeded } from "../../scripts/demo/random.ts";
import { encodedPath } from "../../src/domain/artifact-path.ts";
import type { Relay } from "../lib/relay.ts";

/** Files that trainings put while it storms. What has no answer, or one that says so, is sent again. */

/** What the relay said of a training's files, by path. */
export type HeardFiles = Map<string, { sha256: string; heard: "acknowledged" | "refused" | "nothing" }>;

const RETRIED = new Set([408, 429, 500, 502, 503, 504]);
const RETRY_MS = 400;
const MAX_TRIES = 30;
/** One that is read back from MLflow, one in a directory, and one that is looked up there. */
const SIZES = { "notes.txt": 300, "model/weights (ü).bin": 100_000, "large.bin": 1_200_000 };
/** How many answers nobody waits for, and for how long at most the others did. */
const CUT_SHARE = 0.4;
const CUT_MS = 200;

const listed = z.object({ trials: z.array(z.object({ id: z.string(), trial_id: z.string() })) });

/** Puts files of the trials of a model run, over about `ms`. Of a trial that the relay never heard of there are none. */
export async function putTrialsFiles(
  relay: Relay,
  modelRunId: string,
  trialIds: readonly string[],
  seed: number,
  ms: number,
): Promise<Map<string, HeardFiles>> {
  const heard = await Promise.all(
    trialIds.map(async (trialId, i): Promise<[string, HeardFiles]> => {
      const id = await idOf(relay, modelRunId, trialId);
      const at = `/api/trials/${id}/artifacts`;
      return [trialId, id === null ? new Map() : await putFiles(relay, at, trialId, seed + i, ms)];
    }),
  );
  return new Map(heard);
}

/** Puts a training's files below an address, over about `ms`. */
export async function putFiles(
  relay: Relay,
  address: string,
  owner: string,
  seed: number,
  ms: number,
): Promise<HeardFiles> {
  const random = seeded(seed);
  const files: HeardFiles = new Map();
  const sizes = Object.entries(SIZES);
  for (const [path, bytes] of sizes) {
    await sleep((ms / sizes.length) * 2 * random());
    const line = `${path} of ${owner}, ${random()}\n`;
    const body = new Uint8Array(Buffer.alloc(bytes, line));
    const sha256 = createHash("sha256").update(body).digest("hex");
    files.set(path, { sha256, heard: await put(relay, `${address}/${encodedPath(path)}`, body, random) });
  }
  return files;
}

async function put(relay: Relay, address: string, body: Uint8Array<ArrayBuffer>, random: Random) {
  for (let i = 0; i < MAX_TRIES; i++) {
    const isCut = random() < CUT_SHARE;
    const signal = isCut ? { signal: AbortSignal.timeout(Math.floor(CUT_MS * random())) } : {};
    const status = await relay
      .fetch(address, { method: "PUT", body, ...signal })
      .then((answer) => answer.status)
      .catch(() => 503);
    if (status === 200) return "acknowledged";
    if (!RETRIED.has(status)) return "refused";
    await sleep(RETRY_MS);
  }
  return "nothing";
}

async function idOf(relay: Relay, modelRunId: string, trialId: string): Promise<string | null> {
  const query = new URLSearchParams({ model_run_id: modelRunId, limit: "100" });
  for (let i = 0; i < MAX_TRIES; i++) {
    const answer = await relay.get(`/api/trials?${query}`).catch(() => null);
    const found = listed.safeParse(answer?.body).data?.trials.find((trial) => trial.trial_id === trialId);
    if (found) return found.id;
    await sleep(RETRY_MS);
  }
  return null;
}
