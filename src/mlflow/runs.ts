import { checked, query, read, type Search, searchBody, time, write } from "./calls.ts";
import type { Result } from "./failure.ts";
import type { Send } from "./http.ts";
import * as schemas from "./schemas.ts";
import type { Page, Run, RunInfo, RunStatus, Tag } from "./types.ts";

/** Times in ms since 1970. */
export type NewRun = {
  experimentId: string;
  runName: string;
  startTime: number;
  userId?: string;
  tags: Tag[];
};
export type RunUpdate = { runId: string; status?: RunStatus; endTime?: number; runName?: string };

/** No server cuts a tag's value as short as this. */
const SURELY_WHOLE_CHARS = 200;

export function runCalls(send: Send) {
  return {
    /** MLflow chooses the id. "duplicate" means that a tag key is given twice. */
    createRun: (run: NewRun): Promise<Result<Run>> =>
      checked([time("start time", run.startTime)]) ??
      send({
        ...write("runs/create", schemas.oneRun, {
          experiment_id: run.experimentId,
          run_name: run.runName,
          start_time: run.startTime,
          user_id: run.userId,
          tags: run.tags,
        }),
        isAbout: ({ info, data }) => info.experimentId === run.experimentId && hasTags(data.tags, run.tags),
      }),

    /** Deleted runs too: look at `lifecycleStage`. */
    getRun: (runId: string): Promise<Result<Run>> =>
      send({
        ...read("runs/get", schemas.oneRun, { run_id: runId }),
        isAbout: ({ info }) => info.runId.toLowerCase() === runId.toLowerCase(), // MySQL finds either
      }),

    /** Finds nothing if `experimentIds` is empty. */
    searchRuns: (search: Search & { experimentIds: string[] }): Promise<Result<Page<Run>>> =>
      send({
        ...query("runs/search", schemas.runPage, {
          ...searchBody(search),
          experiment_ids: search.experimentIds,
          run_view_type: search.viewType,
        }),
        isAbout: ({ items }) => items.every(({ info }) => search.experimentIds.includes(info.experimentId)),
      }),

    updateRun: ({ runId, status, endTime, runName }: RunUpdate): Promise<Result<RunInfo>> =>
      checked([time("end time", endTime)]) ??
      send({
        ...write("runs/update", schemas.updatedRun, {
          run_id: runId,
          status,
          end_time: endTime,
          run_name: runName,
        }),
        isAbout: (info) => info.runId === runId,
      }),

    /** Succeeds on a deleted run too. */
    deleteRun: (runId: string): Promise<Result<void>> =>
      send(write("runs/delete", schemas.nothing, { run_id: runId })),

    /** Succeeds on an active run too. */
    restoreRun: (runId: string): Promise<Result<void>> =>
      send(write("runs/restore", schemas.nothing, { run_id: runId })),
  };
}

/** Whether the tags that were asked for are there; a server may write its own words into MLflow's, and cut long ones. */
function hasTags(tags: Tag[], expected: Tag[]): boolean {
  const values = new Map(tags.map(({ key, value }) => [key, value]));
  return expected
    .filter(({ key }) => !key.startsWith("mlflow."))
    .every(({ key, value }) => {
      const found = values.get(key);
      return found !== undefined && (value.length > SURELY_WHOLE_CHARS || found === value);
    });
}
