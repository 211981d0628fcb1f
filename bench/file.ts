import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { table } from "../test/chaos/table.ts";
import { FILE_BYTES, LargeFile } from "./large-file.ts";
import { type Watched, watched } from "./memory.ts";
import { type BenchRelay, benchRelay, trialEvents } from "./relay.ts";
import { round } from "./stats.ts";

/** A part of a large file's way. */
export type FileFigure = Watched & { way: string };

const POLL_MS = 1_000;
const LIMIT_MS = 300_000;

const trials = z.object({ trials: z.array(z.object({ id: z.string(), mlflow_run_id: z.string() })) });
const files = z.object({
  files: z.array(z.object({ path: z.string(), state: z.string(), error: z.string().nullable() })),
});

/** A file of 1 GB into the relay, in one request and in parts, on to MLflow, and out again; its bytes are compared. */
export async function measureFile(
  dir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<FileFigure[]> {
  const relay = await benchRelay(dir, { MLFLOW_TRACKING_URI: mlflowUri, RELAY_MAX_ARTIFACT_MB: "1000" });
  try {
    await relay.post(trialEvents("file", "t", 1, 1));
    await relay.delivered("file", 1);
    const [trial] = trials.parse(JSON.parse(await relay.ask("/api/trials?model_run_id=file"))).trials;
    if (!trial) throw new Error("there is no trial");
    const { id, mlflow_run_id: runId } = trial;
    const file = new LargeFile();
    const figures: FileFigure[] = [];
    const measure = async (way: string, work: () => Promise<unknown>) => {
      say(`a file of 1 GB: ${way}`);
      figures.push({ way, ...(await watched(relay.pid, work)) });
    };
    const of = `/api/trials/${id}`;
    const store = `${relay.url}/api/2.0/mlflow-artifacts/artifacts/0/${runId}/artifacts`;
    const inMlflow = (path: string) =>
      file.compare(`${mlflowUri}/get-artifact?${new URLSearchParams({ run_uuid: runId, path })}`);
    await measure("into the relay, as MLflow's client sends it", () => file.put(`${store}/whole.bin`));
    await measure("on to MLflow", () => handedOver(relay, of, "whole.bin"));
    await inMlflow("whole.bin");
    await measure("into the relay, in parts of 16 MiB", () =>
      file.putInParts(relay, `${of}/uploads`, "parts.bin"),
    );
    await measure("on to MLflow, once more", () => handedOver(relay, of, "parts.bin"));
    await inMlflow("parts.bin");
    await measure("out of the relay", () => file.compare(`${relay.url}${of}/artifacts/parts.bin`));
    return figures;
  } finally {
    await relay.stop();
  }
}

/** In markdown. */
export function fileTable(figures: readonly FileFigure[]): string {
  return [
    "## A file of 1 GB",
    "Streamed into the relay's bucket, on to MLflow, which keeps it on the same disk, and out again; its bytes were compared in MLflow and at the end. Memory is what the system counts as resident at most at any half second of workerd, with the simulated bucket and the database in it; what it has once taken it seldom gives back. Cloudflare takes 100, 200 or 500 MB in one request, by its plan; in parts there is no such bound.",
    table(
      figures.map(({ way, seconds, beforeMb, mostMb }) => ({
        way,
        seconds: round(seconds, 1),
        "MB/s": round(FILE_BYTES / 1e6 / seconds, 0),
        "workerd before, MB": round(beforeMb, 0),
        "at most, MB": round(mostMb, 0),
      })),
    ),
  ].join("\n\n");
}

async function handedOver(relay: BenchRelay, trial: string, path: string): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; ; await sleep(POLL_MS)) {
    const all = files.parse(JSON.parse(await relay.ask(`${trial}/artifacts`))).files;
    const file = all.find((each) => each.path === path);
    if (file?.state === "delivered") return;
    if (Date.now() > deadline) throw new Error(`${path} is not in MLflow: ${JSON.stringify(file)}`);
  }
}
