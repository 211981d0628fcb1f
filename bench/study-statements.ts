/** Trials of one model run as the fold leaves them, written by SQL: by the door they would take an hour. */
export type Wanted = {
  study: string;
  trials: number;
  /** So many of them have a long history, of a metric `loss`. */
  long: number;
  points: number;
};

const KEYS = ["accuracy", "loss", "train/loss"];
const NOW_MS = "cast(unixepoch('subsec') * 1000 as integer)";

/** The statements, and the public ids of those with a long history. */
export function studyStatements({ study, trials, long, points }: Wanted) {
  const numbers = (count: number) =>
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})`;
  const its = `model_run_id = '${study}' and kind = 'trial'`;
  const key = (i: number) => i.toString(16).padStart(32, "0");
  const seqOf = (trial: string) => `${trial} * ${points + 1}`;
  const statements = [
    `insert into streams (key, kind, model_run_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq)
     values ('${study}', 'model_run', '${study}', ${NOW_MS}, ${NOW_MS}, 1, 1, 1, 1)`,
    `insert into model_runs (id, model_run_id, state, announced, started_at, created_at, updated_at)
     select id, model_run_id, 'running', 1, created_at, created_at, created_at from streams where key = '${study}'`,
    `${numbers(trials)} insert into streams (key, kind, model_run_id, trial_id, created_at, updated_at, last_seq, folded_seq,
       planned_seq, delivered_seq)
     select printf('%032x', i), 'trial', '${study}', 't' || i,
       ${NOW_MS} + i, ${NOW_MS} + i, ${seqOf("(i + 1)")}, ${seqOf("(i + 1)")}, ${seqOf("(i + 1)")}, ${seqOf("(i + 1)")} from n`,
    `insert into trials (id, key, model_run_id, trial_id, status, announced, spectral_norm, started_at, ended_at, created_at, updated_at)
     select id, key, model_run_id, trial_id, 'succeeded', 1, id % 2, created_at, created_at + 60000, created_at, updated_at
     from streams where ${its}`,
    `insert into params (stream_id, key, value, seq)
     select s.id, p.value, p.value || (s.id % 7), s.last_seq from streams s, json_each('["lr","layers","units","seed"]') p where ${its}`,
    `insert into metric_summaries (stream_id, key, last, last_step, last_timestamp, min, max, count)
     select s.id, m.value, (s.id % 97) / 97.0, 100, s.created_at, 0.0, 1.0, 100
     from streams s, json_each('${JSON.stringify(KEYS)}') m where ${its}`,
    ...Array.from(
      { length: long },
      (
        _,
        n,
      ) => `${numbers(points)} insert into metric_chunks (stream_id, key, seq, n, first_seq, min_step, max_step, top, latest, points)
       select id, 'loss', seq, 0, seq, i, i, i, at, json_array(json_array(seq, 0, i, at, value))
       from (
         select s.id, ${seqOf(String(n + 1))} + i as seq, i, s.created_at + i * 1000 as at,
           exp(-3.0 * i / ${points}) + abs(random() % 1000) / 5000.0 as value
         from n, streams s where s.key = '${key(n + 1)}')`,
    ),
  ];
  return { statements, keys: Array.from({ length: long }, (_, n) => key(n + 1)) };
}
