import { type MlflowReader, unwrap } from "../lib/mlflow-read.ts";
import type { HeardFiles } from "./files.ts";

/** What of a training's files is otherwise in MLflow's store than it was sent: missing, half-written, or nobody's. */
export async function wrongFiles(
  mlflow: MlflowReader,
  runId: string,
  owner: string,
  files: HeardFiles,
): Promise<string[]> {
  const { info } = unwrap(await mlflow.client.getRun(runId));
  const found = new Map(Object.entries(await mlflow.filesBelow(info.artifactUri ?? "")));
  const sent = [...files].flatMap(([path, { sha256, heard }]) => {
    const there = found.get(path);
    if (heard === "refused") return [`refused: file ${path} of ${owner}`];
    // What was not acknowledged may have been kept all the same.
    if (there === undefined) return heard === "acknowledged" ? [`missing: file ${path} of ${owner}`] : [];
    return there === sha256 ? [] : [`wrong: file ${path} of ${owner}`];
  });
  const strange = [...found.keys()].filter((path) => !files.has(path));
  return [...sent, ...strange.map((path) => `wrong: file ${path} of ${owner}, which nobody sent`)];
}

/** How many files were acknowledged. */
export function acknowledgedFiles(all: Iterable<HeardFiles>): number {
  return [...all].flatMap((files) => [...files.values()]).filter(({ heard }) => heard === "acknowledged")
    .length;
}
