import { spawnSync } from "node:child_process";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { table } from "../test/chaos/table.ts";
import { type BenchRelay, benchRelay, TOKEN, trialEvents } from "./relay.ts";
import { round } from "./stats.ts";

/** Of a large file's way: how long each part of it took, and what workerd held in memory at most. */
export type FileFigure = { way: string; seconds: number; mostMb: number };

const BYTES = 1_000_000_000;
const CHUNK_BYTES = 1_000_000;
const SAMPLE_MS = 100;
const POLL_MS = 500;
/** MLflow's way to its own disk is not what is measured. */
const PATIENT = { MLFLOW_REQUEST_TIMEOUT: "120000", RELAY_MAX_ARTIFACT_MB: "1000" };

const trials = z.object({ trials: z.array(z.object({ id: z.string() })) });
const files = z.object({ files: z.array(z.object({ state: z.string().nullable() })) });

/** A file of 1 GB into the relay, out of it, and on to MLflow. */
export async function measureFile(
  dir: string,
  mlflowUri: string,
  say: (line: string) => void,
): Promise<FileFigure[]> {
  const relay = await benchRelay(dir, { MLFLOW_TRACKING_URI: mlflowUri, ...PATIENT });
  try {
    await relay.post(trialEvents("file", "t", 1, 1));
    await relay.delivered("file", 1);
    const [trial] = trials.parse(JSON.parse(await relay.ask("/api/trials?model_run_id=file"))).trials;
    const address = `/api/trials/${trial?.id ?? ""}/artifacts`;
    const figures: FileFigure[] = [await watched(relay, "nothing on its way", () => sleep(3_000))];
    say("a file of 1 GB: into the relay");
    figures.push(await watched(relay, "into the relay", () => upload(`${relay.url}${address}/large.bin`)));
    say("on to MLflow");
    figures.push(await watched(relay, "on to MLflow, from then on", () => handedOver(relay, address)));
    say("out of the relay");
    figures.push(
      await watched(relay, "out of the relay", () => download(`${relay.url}${address}/large.bin`)),
    );
    return figures;
  } finally {
    await relay.stop();
  }
}

export function fileTable(figures: readonly FileFigure[]): string {
  return [
    "## A file of 1 GB",
    "Streamed both ways and on to MLflow, which keeps it on the same disk. Memory is what the system counts for workerd (its resident set), the simulated bucket in it, at most at any tenth of a second.",
    table(
      figures.map(({ way, seconds, mostMb }) => ({
        way,
        seconds: round(seconds, 1),
        "workerd, MB at most": round(mostMb, 0),
      })),
    ),
  ].join("\n\n");
}

async function watched(relay: BenchRelay, way: string, work: () => Promise<unknown>): Promise<FileFigure> {
  let mostKb = 0;
  const timer = setInterval(() => {
    mostKb = Math.max(mostKb, workerdKb(relay.pid) ?? 0);
  }, SAMPLE_MS);
  const begin = performance.now();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return { way, seconds: (performance.now() - begin) / 1_000, mostMb: mostKb / 1_024 };
}

/** Resident memory of a process group's workerd; null where the system did not say. */
function workerdKb(group: number): number | null {
  const { stdout, status } = spawnSync("ps", ["-eo", "pgid=,rss=,comm="], { encoding: "utf8" });
  if (status !== 0) return null;
  return stdout
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([pgid, , name]) => Number(pgid) === group && name === "workerd")
    .reduce((sum, [, rss]) => sum + Number(rss), 0);
}

function upload(url: string): Promise<void> {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-length": String(BYTES) };
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = request(url, { method: "PUT", headers }, (answer) => {
    answer.resume();
    answer.on("end", () =>
      answer.statusCode === 200
        ? resolve()
        : reject(new Error(`the upload was answered ${answer.statusCode}`)),
    );
  });
  sent.on("error", reject);
  const chunk = Buffer.alloc(CHUNK_BYTES, "x");
  let left = BYTES / CHUNK_BYTES;
  const more = () => {
    while (left-- > 0) if (!sent.write(chunk)) return void sent.once("drain", more);
    sent.end();
  };
  more();
  return promise;
}

async function download(url: string): Promise<void> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
  let bytes = 0;
  for await (const chunk of answer.body ?? []) bytes += chunk.length;
  if (bytes !== BYTES) throw new Error(`the download has ${bytes} bytes`);
}

async function handedOver(relay: BenchRelay, address: string): Promise<void> {
  for (;;) {
    const [file] = files.parse(JSON.parse(await relay.ask(address))).files;
    if (file?.state === "delivered") return;
    await sleep(POLL_MS);
  }
}
