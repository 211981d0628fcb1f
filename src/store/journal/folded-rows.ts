import { type Core, endOf, fieldOf, isMarksOnly } from "../../domain/core.ts";
import type { RunRegister } from "../../domain/run-register.ts";
import { lostContactAt, statusOf } from "../../domain/status.ts";
import type { Json } from "../../domain/types.ts";
import type { ModelRunState } from "../../domain/words.ts";
import { Bound } from "../sql.ts";

/** What a fold's result changes of the rows that trials, model runs and clients' runs have of their own. */

/** Each statement applies only where the fold is still to be written: by the watermark where it began, or by the lease. */
export const UNMOVED = "exists (select 1 from streams where id = ?2 and ?3 in (folded_seq, lease_token))";

/** What the rows of trials and model runs say of every core. */
const OF_EVERY_CORE = ["announced", "started_at", "ended_at", "updated_at"];

/** The fields of a core that a row shows besides, by its columns. */
type Columns = Readonly<Record<string, string>>;

const TRIAL_COLUMNS: Columns = {
  spectral_norm: "spectral_norm",
  run_name: "run_name",
  experiment_name: "experiment_name",
  requested_run_id: "mlflow_run_id",
  duration_ms: "duration_ms",
  rank: "rank",
};
const TRIAL_ROW = updateOf("trials", [...Object.keys(TRIAL_COLUMNS), "lost_contact_at"]);

const MODEL_RUN_COLUMNS: Columns = {
  run_name: "run_name",
  experiment_name: "experiment_name",
  requested_trials: "requested_trials",
  completed_trials: "completed_trials",
  search_space_version: "search_space_version",
  max_params: "max_params",
  best_metric: "best_metric",
  best_trial_id: "best_trial_id",
};
const MODEL_RUN_ROW = updateOf("model_runs", Object.keys(MODEL_RUN_COLUMNS));

function updateOf(table: string, columns: readonly string[]): string {
  const set = [...OF_EVERY_CORE, ...columns].map((name, i) => `${name} = ?${i + 4}`);
  return `update ${table} set core = ?1, ${set.join(", ")} where id = ?2 and ${UNMOVED}`;
}

/** A query of `updateOf` with its values; those of columns that show no field come last. */
function rowOf(
  db: D1Database,
  query: string,
  columns: Columns,
  { id, core, now, unmoved }: { id: number; core: Core; now: number; unmoved: number | string },
  ...others: (number | null)[]
): Bound {
  const ofEvery = [core.announced ? 1 : 0, core.startedAt, endOf(core), now];
  const shown = Object.values(columns).map((name) => column(fieldOf(core, name)));
  return new Bound(db, query, JSON.stringify(core), id, unmoved, ...ofEvery, ...shown, ...others);
}

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
    rowOf(db, TRIAL_ROW, TRIAL_COLUMNS, { id, core, now, unmoved }, lostContactAt(core.lifecycle)),
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
    rowOf(db, MODEL_RUN_ROW, MODEL_RUN_COLUMNS, { id, core, now, unmoved }),
    new Bound(db, MODEL_RUN_STATE, modelRunState(core), id, unmoved),
  ];
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
