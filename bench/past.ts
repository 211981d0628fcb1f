const MODEL_RUNS = 20;

const SENT_STATE = JSON.stringify({
  status: "FINISHED",
  endTime: 1,
  runName: null,
  statusTag: null,
  lostContactAt: null,
});

export type Past = {
  /** Its model runs are named `<study>-1` to `-20`. */
  study: string;
  trials: number;
  /** Epoch milliseconds at which all of it ended. */
  at: number;
  /** The ids and positions of its streams come after this; nothing else may be there. */
  after: number;
};

/**
 * Statements that fill the journal's database with finished trials as delivery leaves them, their points pruned: a
 * quick way to a past that would take a day to send.
 */
export function pastStatements({ study, trials, at, after }: Past): string[] {
  const each = trials / MODEL_RUNS;
  const numbers = `with recursive n(i) as (select ${after} + 1 union all select i + 1 from n where i < ${after + trials})`;
  const last = after + trials;
  const its = `id > ${after} and id <= ${last}`;
  const runs = JSON.stringify(Array.from({ length: MODEL_RUNS }, (_, i) => i + 1));
  return [
    `insert into mlflow_experiments (mlflow_experiment_id, name, lifecycle_stage, synced_at)
     values ('past-1', 'the past', 'active', ${at}), ('past-2', 'the rest', 'active', ${at}) on conflict do nothing`,
    `${numbers} insert into streams (id, key, kind, model_run_id, trial_id, created_at, updated_at, last_seq, folded_seq,
       planned_seq, delivered_seq, delivered_at, heard_at, experiment_name, mlflow_experiment_id, mlflow_run_id, sent_state)
     select i, printf('%032x', i), 'trial', '${study}-' || ((i - ${after} - 1) / ${each} + 1), 't' || i,
       ${at}, ${at}, i, i, i, i, ${at}, ${at},
       iif(i % 2, 'the past', 'the rest'), iif(i % 2, 'past-1', 'past-2'), printf('%032x', i), '${SENT_STATE}' from n`,
    `insert into trials (id, key, model_run_id, trial_id, status, announced, spectral_norm, started_at, ended_at, created_at, updated_at)
     select id, key, model_run_id, trial_id, iif(id % 3, 'succeeded', 'failed'), 1, 1, ${at}, ${at}, ${at}, ${at}
     from streams where ${its}`,
    `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, stream_id, status, start_time, end_time, lifecycle_stage, synced_at)
     select mlflow_run_id, mlflow_experiment_id, id, 'FINISHED', ${at}, ${at}, 'active', ${at} from streams where ${its}`,
    `insert into streams (id, key, kind, model_run_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq, delivered_at)
     select ${last} + value, '${study}-' || value, 'model_run', '${study}-' || value, ${at}, ${at}, 1, 1, 1, 1, ${at}
     from json_each('${runs}')`,
    `insert into events (seq, stream_id, event_id, type, body_hash, occurred_at, accepted_at, correlation_id, facts)
     select last_seq, id, 'e' || id, 'ml.trial.complete', 'h', ${at}, ${at}, 'c', null from streams where ${its}`,
    `insert into model_runs (id, model_run_id, state, announced, started_at, ended_at, created_at, updated_at)
     select id, model_run_id, 'succeeded', 1, ${at}, ${at}, ${at}, ${at} from streams
     where kind = 'model_run' and id > ${last} and id <= ${last + MODEL_RUNS}`,
  ];
}
