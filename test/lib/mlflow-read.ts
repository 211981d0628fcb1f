import { createHash } from "node:crypto";
import * as z from "zod";
import { encodedPath } from "../../src/domain/artifact-path.ts";
import { createMlflowClient, type MlflowClient } from "../../src/mlflow/client.ts";
import type { Result } from "../../src/mlflow/failure.ts";
import { storedValue } from "../../src/mlflow/json.ts";
import type { Run } from "../../src/mlflow/types.ts";
import { commonHistories, type Histories, type Observation } from "./common-histories.ts";

/** A run as MLflow has it, every point of every metric included. */
export type Snapshot = {
  runId: string;
  name: string | null;
  status: string;
  startTime: number | null;
  endTime: number | null;
  lifecycleStage: string;
  params: Record<string, string>;
  tags: Record<string, string>;
  /** `point` of each, sorted: a point that is there twice is in the list twice. */
  points: string[];
};

const listOf = <T extends z.ZodType>(item: T) => z.array(item).default([]);
const belongings = z.object({
  run: z.object({
    info: z.object({ artifact_uri: z.string() }),
    inputs: z
      .object({
        dataset_inputs: listOf(
          z.object({
            dataset: z.record(z.string(), z.string()),
            tags: listOf(z.object({ key: z.string(), value: z.string() })),
          }),
        ),
        model_inputs: listOf(z.object({ model_id: z.string() })),
      })
      .prefault({}),
    outputs: z
      .object({
        model_outputs: listOf(z.object({ model_id: z.string(), step: z.union([z.string(), z.number()]) })),
      })
      .prefault({}),
  }),
});

/** What a run was given and made, and where its files are. */
export type Belongings = {
  artifactUri: string;
  /** By their names, each with the tags of its use. */
  datasets: { dataset: Record<string, string>; tags: Record<string, string> }[];
  given: string[];
  made: { modelId: string; step: number }[];
};

/** One metric point as text; two are the same point where key, step, timestamp and stored value are. */
export function point(key: string, step: number | bigint, timestamp: number, value: number): string {
  return `${key} #${step} @${timestamp} = ${storedValue(value)}`;
}

const RUNS_PAGE = 1000;

/** Reads MLflow by its REST API, past the relay and past any proxy. */
export class MlflowReader {
  readonly client: MlflowClient;
  readonly #uri: string;
  readonly #headers: Record<string, string>;
  /** Whether histories of many runs are read together. The relay is asked as MLflow's clients ask: run by run. */
  readonly #together: boolean;

  /** @param token a bearer's, where the server asks for one, as the relay does */
  constructor(uri: string, token?: string) {
    this.#uri = uri;
    this.#together = token === undefined;
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const auth = token === undefined ? ({ kind: "none" } as const) : ({ kind: "bearer", token } as const);
    this.client = createMlflowClient(
      { trackingUri: uri, auth, extraHeaders: {}, timeoutMs: 60_000 },
      { fetch: (url, init) => fetch(url, init), now: Date.now },
    );
  }

  async experimentId(name: string): Promise<string> {
    return unwrap(await this.client.getExperimentByName(name)).experimentId;
  }

  /** All runs of an experiment, deleted ones too, with their whole history. */
  async runs(experimentName: string): Promise<Snapshot[]> {
    const experimentIds = [await this.experimentId(experimentName)];
    const runs: Run[] = [];
    for (let pageToken: string | undefined, more = true; more; more = pageToken !== undefined) {
      const search = { experimentIds, viewType: "ALL", maxResults: RUNS_PAGE } as const;
      const page = unwrap(await this.client.searchRuns({ ...search, ...(pageToken ? { pageToken } : {}) }));
      runs.push(...page.items);
      pageToken = page.nextPageToken ?? undefined;
    }
    const known = this.#together ? await commonHistories(this.#uri, runs) : new Map();
    return Promise.all(runs.map((run) => this.#snapshot(run, known)));
  }

  /** The runs of trials by trial id, all of them; a trial with two runs has two. */
  async trials(experimentName: string): Promise<Map<string, Snapshot[]>> {
    const runs = await this.runs(experimentName);
    return Map.groupBy(
      runs.filter((run) => run.tags.thunderline_trial_id !== undefined),
      (run) => run.tags.thunderline_trial_id ?? "",
    );
  }

  /** The one run of a trial. */
  async trial(experimentName: string, trialId: string): Promise<Snapshot> {
    const [run, ...others] = (await this.trials(experimentName)).get(trialId) ?? [];
    if (!run || others.length > 0)
      throw new Error(`trial ${trialId} has ${run ? others.length + 1 : 0} runs`);
    return run;
  }

  async run(runId: string): Promise<Snapshot> {
    return this.#snapshot(unwrap(await this.client.getRun(runId)));
  }

  async belongings(runId: string): Promise<Belongings> {
    const answer = await this.#ask(`mlflow/runs/get?run_id=${runId}`);
    const { info, inputs, outputs } = belongings.parse(await answer.json()).run;
    return {
      artifactUri: info.artifact_uri,
      datasets: inputs.dataset_inputs
        .map(({ dataset, tags }) => ({ dataset, tags: toRecord(tags) }))
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      given: inputs.model_inputs.map(({ model_id }) => model_id),
      made: outputs.model_outputs.map(({ model_id, step }) => ({ modelId: model_id, step: Number(step) })),
    };
  }

  /** The files below an address of MLflow's artifact proxy: SHA-256 by path. */
  async filesBelow(uri: string): Promise<Record<string, string>> {
    const root = uri.replace(/^mlflow-artifacts:\/+/, "");
    const files: Record<string, string> = {};
    const directories = [""];
    for (const directory of directories)
      for (const { path, isDir } of unwrap(await this.client.listStored(root + directory))) {
        if (isDir) directories.push(`${directory}/${path}`);
        else files[`${directory}/${path}`.slice(1)] = await this.#digest(`${root}${directory}/${path}`);
      }
    return files;
  }

  async #digest(path: string): Promise<string> {
    const answer = await this.#ask(`mlflow-artifacts/artifacts/${encodedPath(path)}`);
    return createHash("sha256")
      .update(Buffer.from(await answer.arrayBuffer()))
      .digest("hex");
  }

  async #ask(path: string): Promise<Response> {
    const answer = await fetch(`${this.#uri}/api/2.0/${path}`, { headers: this.#headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer;
  }

  /** @param known what was read of it already */
  async #snapshot({ info, data }: Run, known: Histories = new Map()): Promise<Snapshot> {
    const points: string[] = [];
    for (const { key } of data.metrics) {
      const history = known.get(key)?.get(info.runId) ?? (await this.#history(info.runId, key));
      points.push(...history.map(({ step, timestamp, value }) => point(key, step, timestamp, value)));
    }
    return {
      runId: info.runId,
      name: info.runName,
      status: info.status,
      startTime: info.startTime,
      endTime: info.endTime,
      lifecycleStage: info.lifecycleStage,
      params: toRecord(data.params),
      tags: toRecord(data.tags),
      points: points.sort(),
    };
  }

  async #history(runId: string, key: string): Promise<Observation[]> {
    const pages = await Array.fromAsync(this.client.metricHistory(runId, key));
    return pages.flatMap(unwrap);
  }
}

export function unwrap<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`MLflow: ${result.failure.kind}: ${result.failure.message}`);
  return result.value;
}

function toRecord(pairs: { key: string; value: string }[]): Record<string, string> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
}
