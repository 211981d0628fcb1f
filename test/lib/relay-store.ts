import { globSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as z from "zod";

const DATABASES = "v3/d1/miniflare-D1DatabaseObject/*.sqlite";

const behindRow = z.object({
  kind: z.string(),
  trial_id: z.string().nullable(),
  last_seq: z.number(),
  folded_seq: z.number(),
  delivered_seq: z.number(),
  waiting_for: z.string().nullable(),
  blocked_reason: z.string().nullable(),
  last_error: z.string().nullable(),
});
export type Behind = z.infer<typeof behindRow>;

const conflictRow = z.object({
  trial_id: z.string().nullable(),
  kind: z.string(),
  field: z.string(),
  kept: z.string().nullable(),
  refused: z.string(),
});
export type Conflict = z.infer<typeof conflictRow>;

const deadRow = z.object({
  trial_id: z.string().nullable(),
  kind: z.string(),
  item: z.string(),
  reason: z.string(),
});
export type DeadLetter = z.infer<typeof deadRow>;

/** The relay's local D1, read beside the running relay. */
export class RelayStore {
  readonly #db: DatabaseSync;

  constructor(stateDir: string) {
    const [file] = globSync(join(stateDir, DATABASES)).filter((path) => !path.endsWith("metadata.sqlite"));
    if (!file) throw new Error(`there is no database under ${stateDir}`);
    this.#db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
  }

  /** The trials of a model run, and itself, that MLflow does not have all of; null: the runs of MLflow's clients. */
  behind(modelRunId: string | null): Behind[] {
    return this.#rows(
      behindRow,
      `select kind, trial_id, last_seq, folded_seq, delivered_seq, waiting_for, blocked_reason, last_error
       from streams where model_run_id is ? and delivered_seq < last_seq`,
      modelRunId,
    );
  }

  /**
   * The same of what MLflow's own clients logged: ids of runs, names of experiments and logged models, and files. A run or
   * model that nobody used since it was made does not count: its maker may never have heard of it.
   */
  clientsBehind(): string[] {
    const query = `select run_id as what from streams s join gateway_runs g on g.stream_id = s.id
      where s.delivered_seq < s.last_seq and g.touched_at is not null
      union all select name from gateway_experiments where delivered_version < version
      union all select name || ': ' || coalesce(last_error, 'waits') from gateway_models
        where delivered_version < version and touched_at is not null
      union all select path || ': ' || coalesce(last_error, 'waits') from artifacts where delivered_version < version`;
    const rows = this.#db.prepare(query).all();
    return z
      .array(z.object({ what: z.string() }))
      .parse(rows)
      .map(({ what }) => what);
  }

  /** The trial's run in MLflow; null while it has none. */
  runId(modelRunId: string, trialId: string): string | null {
    const row = this.#db
      .prepare("select mlflow_run_id as id from streams where model_run_id = ? and trial_id = ?")
      .get(modelRunId, trialId);
    return row ? z.object({ id: z.string().nullable() }).parse(row).id : null;
  }

  conflicts(modelRunId: string): Conflict[] {
    return this.#rows(
      conflictRow,
      `select s.trial_id, c.kind, c.field, c.kept, c.refused
       from conflicts c join streams s on s.id = c.stream_id where s.model_run_id = ? order by c.id`,
      modelRunId,
    );
  }

  deadLetters(modelRunId: string): DeadLetter[] {
    return this.#rows(
      deadRow,
      `select s.trial_id, d.kind, d.item, d.reason
       from dead_letters d join streams s on s.id = d.stream_id where s.model_run_id = ? order by d.id`,
      modelRunId,
    );
  }

  /** Of runs that MLflow's own clients made, by the run's id. */
  clientsDeadLetters(): DeadLetter[] {
    const query = `select s.trial_id, d.kind, d.item, d.reason
      from dead_letters d join streams s on s.id = d.stream_id where s.model_run_id is null order by d.id`;
    return z.array(deadRow).parse(this.#db.prepare(query).all());
  }

  /** The trials of which the relay itself wrote something into the journal, such as an edit made in MLflow. */
  edited(modelRunId: string): (string | null)[] {
    const trials = this.#rows(
      z.object({ trial_id: z.string().nullable() }),
      `select distinct s.trial_id from events e join streams s on s.id = e.stream_id
       where s.model_run_id = ? and e.type like 'relay.%'`,
      modelRunId,
    );
    return trials.map(({ trial_id }) => trial_id);
  }

  /** The circuit breaker's state; null before anything ever went wrong. */
  breaker(): string | null {
    const row = this.#db.prepare("select state from breakers").get();
    return row ? z.object({ state: z.string() }).parse(row).state : null;
  }

  /** How much of the journal there is; of what was pruned only identities are left. */
  kept(): { events: number; points: number } {
    const query = `select (select coalesce(sum(json_array_length(points)), 0) from metric_chunks) as points,
      (select count(*) from events e join streams s on s.id = e.stream_id where e.seq > s.pruned_seq) as events`;
    return z.object({ events: z.number(), points: z.number() }).parse(this.#db.prepare(query).get());
  }

  /** The paths of files that came in parts and are listed. */
  parted(): string[] {
    const rows = this.#db.prepare("select distinct path from uploads where done = 1 order by path").all();
    return z
      .array(z.object({ path: z.string() }))
      .parse(rows)
      .map(({ path }) => path);
  }

  /** How many points of logged models there are. */
  modelPoints(): number {
    const query = "select count(*) as n from gateway_model_points";
    return z.object({ n: z.number() }).parse(this.#db.prepare(query).get()).n;
  }

  close(): void {
    this.#db.close();
  }

  #rows<T>(row: z.ZodType<T>, query: string, modelRunId: string | null): T[] {
    return z.array(row).parse(this.#db.prepare(query).all(modelRunId));
  }
}
