import { type Core, endOf, fieldOf, isMarksOnly } from "../../domain/core.ts";
import type { RunRegister } from "../../domain/run-register.ts";
import { lostContactAt, statusOf } from "../../domain/status.ts";
import type { Json } from "../../domain/types.ts";
import type { ModelRunState } from "../../domain/words.ts";
import { Bound } from "../sql.ts";

/** What a fold's result changes of the rows that trials, model runs and clients' runs have of their own. */

/** Each statement applies only where the fold is still to be written: by the watermark where it began, or by the lease. */
export const UNMOVED = "exists (select 1 from streams where id = ?2 and ?3 in (folded_seq, lease_token))";

/** A row of its own tells what it holds only where that changes: the stream's own, which is written anyway, has the marks. */
export function trialQueries(
  db: D1Database,
  id: number,
  before: Core,
  core: Core,
  now: number,
  unmoved: number | string,
): [Bound, ...Bound[]] {
  if (isMarksOnly(before, core)) return [new Bound(db, WARM_TRIAL, now, id, unmoved)];
  return [
    trialRow(db, id, core, now, unmoved),
    // Apart from the rest, so that the indexes it is in are written only where it changes.
    new Bound(db, TRIAL_STATUS, statusOf(core.lifecycle), id, unmoved),
  ];
}

const WARM_TRIAL = `update trials set updated_at = ?1 where id = ?2 and warm = 0 and ${UNMOVED}`;

/** The row of a model run, and its state, apart for the same reason. */
export function modelRunQueries(
  db: D1Database,
  id: number,
  core: Core,
  now: number,
  unmoved: number | string,
): [Bound, Bound] {
  return [
    modelRunRow(db, id, core, now, unmoved),
    new Bound(db, MODEL_RUN_STATE, modelRunState(core), id, unmoved),
  ];
}

function trialRow(db: D1Database, id: number, core: Core, now: number, unmoved: number | string): Bound {
  const field = (name: string) => column(fieldOf(core, name));
  return new Bound(
    db,
    `update trials set announced = ?4, spectral_norm = ?5, run_name = ?6, experiment_name = ?7,
       requested_run_id = ?8, duration_ms = ?9, rank = ?10, started_at = ?11, ended_at = ?12, updated_at = ?13, lost_contact_at = ?14, core = ?1
     where id = ?2 and ${UNMOVED}`,
    JSON.stringify(core),
    id,
    unmoved,
    core.announced ? 1 : 0,
    field("spectral_norm"),
    field("run_name"),
    field("experiment_name"),
    field("mlflow_run_id"),
    field("duration_ms"),
    field("rank"),
    core.startedAt,
    endOf(core),
    now,
    lostContactAt(core.lifecycle),
  );
}

/** The row of an MLflow client's run, where it says something else now. */
export function gatewayRow(
  db: D1Database,
  id: number,
  core: Core,
  { status, startTime, endTime }: RunRegister,
  unmoved: number | string,
): Bound {
  const [runName, user] = [column(fieldOf(core, "run_name")), column(fieldOf(core, "user"))];
  return new Bound(db, GATEWAY_RUN, runName, id, unmoved, user, status, startTime, endTime);
}

const GATEWAY_RUN = `
  update gateway_runs set run_name = ?1, user_id = ?4, status = ?5, start_time = ?6, end_time = ?7
  where stream_id = ?2 and (run_name, user_id, status, start_time, end_time) is not (?1, ?4, ?5, ?6, ?7) and ${UNMOVED}`;

const TRIAL_STATUS = `update trials set status = ?1 where id = ?2 and status <> ?1 and ${UNMOVED}`;

function modelRunRow(db: D1Database, id: number, core: Core, now: number, unmoved: number | string): Bound {
  const field = (name: string) => column(fieldOf(core, name));
  return new Bound(
    db,
    `update model_runs set announced = ?4, run_name = ?5, experiment_name = ?6, requested_trials = ?7,
       completed_trials = ?8, search_space_version = ?9, max_params = ?10, best_metric = ?11, best_trial_id = ?12,
       started_at = ?13, ended_at = ?14, updated_at = ?15, core = ?1
     where id = ?2 and ${UNMOVED}`,
    JSON.stringify(core),
    id,
    unmoved,
    core.announced ? 1 : 0,
    field("run_name"),
    field("experiment_name"),
    field("requested_trials"),
    field("completed_trials"),
    field("search_space_version"),
    field("max_params"),
    field("best_metric"),
    field("best_trial_id"),
    core.startedAt,
    endOf(core),
    now,
  );
}

const MODEL_RUN_STATE = `update model_runs set state = ?1 where id = ?2 and state <> ?1 and ${UNMOVED}`;

/** A model run is never skipped; one that was not announced is initialized only. */
export function modelRunState(core: Core): ModelRunState {
  const status = statusOf(core.lifecycle);
  if (status === "running") return core.announced ? "running" : "initialized";
  return status === "skipped" ? "cancelled" : status;
}

function column(value: Json): string | number | null {
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "object" ? null : value;
}
