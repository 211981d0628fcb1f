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

export function runCalls(send: Send) {
  return {
    /** MLflow chooses the id. "duplicate" means that a tag key is given twice. */
    createRun: (run: NewRun): Promise<Result<Run>> =>
      checked([time("start time", run.startTime)]) ??
      send(
        write("runs/create", schemas.oneRun, {
          experiment_id: run.experimentId,
          run_name: run.runName,
          start_time: run.startTime,
          user_id: run.userId,
          tags: run.tags,
        }),
      ),

    /** Deleted runs too: look at `lifecycleStage`. */
    getRun: (runId: string): Promise<Result<Run>> =>
      send(read("runs/get", schemas.oneRun, { run_id: runId })),

    /** Finds nothing if `experimentIds` is empty. */
    searchRuns: (search: Search & { experimentIds: string[] }): Promise<Result<Page<Run>>> =>
      send(
        query("runs/search", schemas.runPage, {
          ...searchBody(search),
          experiment_ids: search.experimentIds,
          run_view_type: search.viewType,
        }),
      ),

    updateRun: ({ runId, status, endTime, runName }: RunUpdate): Promise<Result<RunInfo>> =>
      checked([time("end time", endTime)]) ??
      send(
        write("runs/update", schemas.updatedRun, {
          run_id: runId,
          status,
          end_time: endTime,
          run_name: runName,
        }),
      ),

    /** Succeeds on a deleted run too. */
    deleteRun: (runId: string): Promise<Result<void>> =>
      send(write("runs/delete", schemas.nothing, { run_id: runId })),

    /** Succeeds on an active run too. */
    restoreRun: (runId: string): Promise<Result<void>> =>
      send(write("runs/restore", schemas.nothing, { run_id: runId })),
  };
}
