import type { LifecycleStage } from "../../domain/words.ts";
import { repeatable } from "../database/counted.ts";
import { ALL_EXPERIMENTS, type GatewayExperiment } from "./experiments.ts";
import { isBuried } from "./ghosts.ts";
import { saidAnew } from "./lifecycles.ts";

/** What clients and delivery change of experiments: made, taken up, renamed, tagged, deleted and restored. */

/** Makes an experiment, to be brought to MLflow; false where the name is taken, as by a deleted one. */
export async function createExperiment(
  db: D1Database,
  { id, name, artifactLocation, tags, createdTime }: GatewayExperiment,
): Promise<boolean> {
  // Where the answer is lost and it is asked again, the name is taken: by this one.
  const again = repeatable(db);
  const [, made] = await again.batch([
    again
      .prepare(
        `insert into gateway_experiments (id, name, artifact_location, tags, created_time, updated_time, version)
         select ?1, ?2, ?3, ?4, ?5, ?5, 1 where not exists (select 1 from (${ALL_EXPERIMENTS}) where name = ?2)`,
      )
      .bind(id, name, artifactLocation, JSON.stringify(tags), createdTime),
    again.prepare("select 1 from gateway_experiments where id = ?1").bind(id),
  ]);
  return made?.results.length === 1;
}

/** Takes up an experiment that MLflow had first, under MLflow's id, as it is there. */
export async function adoptExperiment(db: D1Database, experiment: GatewayExperiment): Promise<void> {
  const { id, name, artifactLocation, lifecycle, tags, createdTime, updatedTime } = experiment;
  await db
    .prepare(
      `insert into gateway_experiments (id, mlflow_experiment_id, name, artifact_location, lifecycle, tags, created_time,
         updated_time, sent)
       values (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, json_object('name', ?2, 'lifecycle', ?4, 'tags', json(?5)))
       on conflict do nothing`,
    )
    .bind(id, name, artifactLocation, lifecycle, JSON.stringify(tags), createdTime, updatedTime)
    .run();
}

/** Forgets which of MLflow's an experiment was, for it is there no more, and has it brought there anew. */
export async function forgetMlflows(db: D1Database, id: string, mlflowExperimentId: string): Promise<void> {
  await db
    .prepare(
      `update gateway_experiments set mlflow_experiment_id = null, sent = null, ${CHANGED}
       where id = ?1 and mlflow_experiment_id = ?2`,
    )
    .bind(id, mlflowExperimentId)
    .run();
}

/** What a client changes of an experiment. */
export type ExperimentChange =
  | { kind: "rename"; name: string; now: number }
  | { kind: "lifecycle"; lifecycle: LifecycleStage; now: number }
  | { kind: "tag"; key: string; value: string }
  | { kind: "untag"; key: string };

/**
 * Changes an experiment of ours, to be brought to MLflow. With its lifecycle goes that of all its runs, as in MLflow.
 * @returns false where it is not as the change needs it: it must be active, but to be restored deleted; a new name free,
 *   and a tag that is taken away there. So it is too where the answer to just this change was lost, and it was done again
 */
export async function changeExperiment(
  db: D1Database,
  id: string,
  change: ExperimentChange,
): Promise<boolean> {
  const again = repeatable(db);
  const results = await again.batch(statementsOf(again, id, change));
  return (results.at(-1)?.meta.changes ?? 0) > 0;
}

const MOVE_RUNS = `
  update gateway_runs set lifecycle = ?2
  where experiment_id in (select id from gateway_experiments where id = ?1 and lifecycle <> ?2)
    and lifecycle <> ?2 and not ${isBuried("gateway_runs")}`;

/**
 * MLflow may never hear that an experiment was deleted which is restored soon after. The runs in it that were deleted by
 * themselves are told it one by one then.
 */
const RESTORED = `
  select g.stream_id from gateway_experiments x join gateway_runs g on g.experiment_id = x.id and g.lifecycle = 'deleted'
  join mlflow_runs r on r.stream_id = g.stream_id and r.lifecycle_stage = 'deleted'
  where x.id = ?1 and x.lifecycle = 'deleted' and x.sent ->> '$.lifecycle' = 'active'`;
const RESTORING = saidAnew(RESTORED);

/** What was deleted before anybody used it counts as delivered. */
const DELIVER_UNUSED = `
  update streams set planned_seq = 0, delivered_seq = 0
  where mlflow_run_id is null and delivered_seq > 0
    and id in (select g.stream_id from gateway_experiments x join gateway_runs g on g.experiment_id = x.id
      where x.id = ?1 and x.lifecycle = 'deleted' and not ${isBuried("g")})`;

const CHANGED = "version = version + 1, attempts = 0, next_attempt_at = 0";
/** Nobody else has the name. */
const IS_FREE = `not exists (select 1 from (${ALL_EXPERIMENTS}) other where other.name = ?2 and other.id <> ?1)`;

function statementsOf(db: D1Database, id: string, change: ExperimentChange): D1PreparedStatement[] {
  switch (change.kind) {
    case "rename":
      return [
        db
          .prepare(
            `update gateway_experiments set name = ?2, updated_time = ?3, ${CHANGED}
             where id = ?1 and lifecycle = 'active' and ${IS_FREE}`,
          )
          .bind(id, change.name, change.now),
      ];
    case "lifecycle": {
      const { lifecycle, now } = change;
      return [
        ...(lifecycle === "active" ? RESTORING.map((query) => db.prepare(query).bind(id, now)) : []),
        db.prepare(MOVE_RUNS).bind(id, lifecycle),
        ...(lifecycle === "active" ? [db.prepare(DELIVER_UNUSED).bind(id)] : []),
        db
          .prepare(
            `update gateway_experiments set lifecycle = ?2, updated_time = ?3, ${CHANGED}
             where id = ?1 and lifecycle <> ?2`,
          )
          .bind(id, lifecycle, now),
      ];
    }
    // A path of JSON cannot hold every key.
    case "tag":
      return [
        db
          .prepare(
            `update gateway_experiments set tags = json_patch(tags, json_object(?2, ?3)), ${CHANGED}
             where id = ?1 and lifecycle = 'active'`,
          )
          .bind(id, change.key, change.value),
      ];
    case "untag":
      return [
        db
          .prepare(
            `update gateway_experiments set tags = json_patch(tags, json_object(?2, null)), ${CHANGED}
             where id = ?1 and lifecycle = 'active' and exists (select 1 from json_each(tags) where key = ?2)`,
          )
          .bind(id, change.key),
      ];
  }
}
