import { env } from "cloudflare:workers";

/** A world of runs at random, straight in the tables, and what a search is to see of it. */

const { DB: db } = env;

const TABLES = [
  "streams",
  "trials",
  "model_runs",
  "gateway_runs",
  "gateway_experiments",
  "mlflow_runs",
  "mlflow_experiments",
  "params",
];

/** A run as it is to be found. */
export type Shown = {
  id: string;
  start: number;
  status: string;
  stage: Stage;
  odd: string | null;
  name: string;
  /** The ids by which it may be asked for. */
  names: string[];
};

type Stage = "active" | "deleted";

/** Experiments of MLflow's clients by their first ids, and those in MLflow. */
export const OURS = ["900000000000000001", "900000000000000002", "900000000000000003"];
export const THERE = ["11", "12", "13", "14"];
export const STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];
const STAGES: readonly Stage[] = ["active", "deleted"];
const OWN = {
  running: "RUNNING",
  succeeded: "FINISHED",
  failed: "FAILED",
  skipped: "KILLED",
  cancelled: "KILLED",
  initialized: "RUNNING",
} as const;
const KINDS = ["client", "client", "trial", "model_run", "mlflow", "mlflow"] as const;
/** As many rows as a batch of statements has. */
const AT_ONCE = 50;

export function picker(random: () => number) {
  return <T>(all: readonly T[]): T => {
    const one = all[Math.floor(random() * all.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  };
}

/** Puts a world in the place of the one before. */
export async function searchedWorld(random: () => number): Promise<World> {
  const world = new World(random);
  await db.batch(TABLES.map((table) => db.prepare(`delete from ${table}`)));
  for (let at = 0; at < world.rows.length; at += AT_ONCE) await db.batch(world.rows.slice(at, at + AT_ONCE));
  return world;
}

class World {
  readonly rows: D1PreparedStatement[] = [];
  readonly #random: () => number;
  readonly #pick: ReturnType<typeof picker>;
  readonly #shown = new Map<string, Shown[]>();
  readonly #ours: { id: string; there: string | null; lifecycle: Stage; created: number }[];
  readonly #there: { id: string; lifecycle: Stage; isMirrored: boolean }[];
  readonly #hasNulls: boolean;
  readonly #start: () => number;
  #streams = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#pick = picker(random);
    const isShared = this.#chance(0.3);
    this.#ours = OURS.map((id, i) => ({
      id,
      there: this.#chance(0.75) ? (isShared && i === 1 ? "11" : (THERE[i] ?? null)) : null,
      lifecycle: this.#stage(0.8),
      created: i + 1,
    }));
    this.#there = THERE.map((id) => ({ id, lifecycle: this.#stage(0.8), isMirrored: this.#chance(0.9) }));
    this.#addExperiments();
    this.#hasNulls = this.#chance(0.15);
    // Many that start at the same time, or few; and MLflow takes any int64.
    const spread = this.#pick([1, 4, 40]);
    const far = this.#chance(0.2) ? [2 ** 63, -(2 ** 63)] : [];
    this.#start = () =>
      far.length > 0 && this.#chance(0.05) ? this.#pick(far) : Math.floor(random() * spread) - 1;
    const many = Math.floor(random() * 60);
    for (let n = 0; n < many; n++) {
      const about = {
        streamId: ++this.#streams,
        key: this.#hex("a"),
        name: `n${n % 3}`,
        odd: this.#chance(0.5) ? String(n % 2) : null,
        stage: this.#stage(0.75),
      };
      const kind = this.#pick(KINDS);
      if (kind === "client") this.#addClients(about);
      else this.#addTheirs(kind, about);
    }
  }

  /** All runs that are to be found. */
  get all(): Shown[] {
    return [...this.#shown.values()].flat();
  }

  /** Those in the experiments asked for, whichever of their ids. */
  seenIn(ids: readonly string[]): Shown[] {
    const theirs = new Set<string>();
    for (const id of ids) {
      const own = this.#ours.find((experiment) => experiment.id === id);
      if (own?.there) theirs.add(own.there);
      if (!own) theirs.add(id);
    }
    const own = new Set(ids.filter((id) => this.#ours.some((experiment) => experiment.id === id)));
    for (const { id, there } of this.#ours) if (there && theirs.has(there)) own.add(id);
    return [...own, ...theirs].flatMap((id) => this.#shown.get(id) ?? []);
  }

  #addExperiments(): void {
    for (const { id, lifecycle, isMirrored } of this.#there)
      if (isMirrored)
        this.#insert("mlflow_experiments", {
          mlflow_experiment_id: id,
          name: id,
          lifecycle_stage: lifecycle,
          synced_at: 1,
        });
    for (const { id, there, lifecycle, created } of this.#ours)
      this.#insert("gateway_experiments", {
        id,
        mlflow_experiment_id: there,
        name: `e${id}`,
        artifact_location: "a",
        lifecycle,
        created_time: created,
        updated_time: 1,
      });
  }

  /** A run that a client of MLflow made, which MLflow may have too; a ghost is not found. */
  #addClients({ streamId, key, name, odd, stage }: About): void {
    const { id: experiment, there } = this.#pick(this.#ours);
    const status = this.#pick(STATUSES);
    const start = this.#chance(0.2) ? null : this.#start();
    const created = this.#start();
    const isAdopted = this.#chance(0.2) && there !== null;
    const mlflowId = there !== null && (this.#chance(0.7) || isAdopted) ? this.#hex("c") : null;
    const runId = isAdopted && mlflowId ? mlflowId : key;
    const isGhost = this.#chance(0.1);
    this.#addStream("trial", streamId, key, { experiment: there, run: mlflowId, isAdopted });
    const own = { experiment_id: experiment, status, start_time: start, lifecycle: stage, run_name: name };
    const create = { create_hash: isGhost ? key : null, touched_at: isGhost ? null : 1 };
    this.#addClientsRow(streamId, runId, created, { ...own, ...create });
    if (isGhost) this.#addTwin(key, created);
    if (odd !== null) this.#insert("params", { stream_id: streamId, key: "odd", value: odd, seq: 1 });
    if (mlflowId !== null && this.#chance(0.8))
      this.#insert("mlflow_runs", {
        mlflow_run_id: mlflowId,
        mlflow_experiment_id: there,
        stream_id: streamId,
        status: this.#pick(STATUSES),
        start_time: start ?? created,
        lifecycle_stage: this.#pick(STAGES),
        synced_at: 1,
      });
    const names = [key, runId, ...(mlflowId ? [mlflowId] : [])];
    if (!isGhost)
      this.#show(experiment, { id: runId, start: start ?? created, status, stage, odd, name, names });
  }

  /** The run that was made in the place of a ghost. */
  #addTwin(hash: string, created: number): void {
    const id = ++this.#streams;
    this.#insert("streams", {
      id,
      key: this.#hex("b"),
      kind: "trial",
      trial_id: "twin",
      created_at: 5,
      updated_at: 1,
    });
    this.#addClientsRow(id, this.#hex("b"), created, {
      experiment_id: "other",
      create_hash: hash,
      touched_at: 1,
    });
  }

  /** A run in MLflow: of a trial or model run of the event API, or of nobody here. */
  #addTheirs(kind: "trial" | "model_run" | "mlflow", { streamId, key, name, odd, stage }: About): void {
    const experiment = this.#pick(THERE);
    const isNull = this.#hasNulls && this.#chance(0.2);
    const start = this.#start();
    const run = this.#hex("d");
    const status = this.#pick(STATUSES);
    const isGone = this.#chance(0.1);
    const mirrored = {
      mlflow_run_id: run,
      mlflow_experiment_id: experiment,
      status,
      start_time: isNull ? null : start,
      lifecycle_stage: stage,
      synced_at: 1,
      gone_at: isGone ? 1 : null,
      data: odd === null ? null : JSON.stringify({ params: { odd } }),
      run_name: name,
    };
    const seen = { odd, stage: this.#isDeleted(experiment) ? ("deleted" as const) : stage };
    if (kind === "mlflow") {
      this.#insert("mlflow_runs", { ...mirrored, stream_id: null });
      const its = { id: run, start: isNull ? 0 : start, status, name, names: [run] };
      if (!isGone) this.#show(experiment, { ...seen, ...its });
      return;
    }
    const isAdopted = this.#chance(0.3);
    const special = kind === "trial" ? "skipped" : "initialized";
    const own = this.#pick(["running", "succeeded", "failed", "cancelled", special] as const);
    this.#addStream(kind, streamId, key, { experiment, run, isAdopted });
    const isFolded = this.#chance(0.9);
    if (isFolded) this.#addFolded(kind, streamId, key, own, name);
    this.#insert("mlflow_runs", { ...mirrored, stream_id: streamId });
    if (odd !== null) this.#insert("params", { stream_id: streamId, key: "odd", value: odd, seq: 1 });
    this.#show(experiment, {
      ...seen,
      id: isAdopted ? run : key,
      start: isNull ? CREATED : start,
      status: isFolded ? OWN[own] : status,
      name: isFolded ? name : key,
      names: [key, run],
    });
  }

  #addStream(
    kind: "trial" | "model_run",
    id: number,
    key: string,
    { experiment, run, isAdopted }: { experiment: string | null; run: string | null; isAdopted: boolean },
  ): void {
    this.#insert("streams", {
      id,
      key,
      kind,
      trial_id: kind === "trial" ? key : null,
      model_run_id: kind === "trial" ? null : key,
      created_at: CREATED,
      updated_at: 1,
      mlflow_experiment_id: experiment,
      mlflow_run_id: run,
      adopted: Number(isAdopted),
    });
  }

  #addFolded(kind: "trial" | "model_run", id: number, key: string, state: string, name: string): void {
    const row = { id, created_at: 1, updated_at: 1, run_name: name };
    if (kind === "trial") this.#insert("trials", { ...row, key, trial_id: key, status: state });
    else this.#insert("model_runs", { ...row, model_run_id: key, state });
  }

  #addClientsRow(streamId: number, runId: string, created: number, more: Record<string, unknown>): void {
    this.#insert("gateway_runs", {
      stream_id: streamId,
      run_id: runId,
      artifact_uri: "a",
      created_at: created,
      ...more,
    });
  }

  #isDeleted(there: string): boolean {
    const [first] = this.#ours
      .filter((experiment) => experiment.there === there)
      .toSorted((a, b) => a.created - b.created);
    const mirrored = this.#there.find(({ id, isMirrored }) => id === there && isMirrored);
    return (first?.lifecycle ?? mirrored?.lifecycle) === "deleted";
  }

  #show(experiment: string, run: Shown): void {
    this.#shown.set(experiment, [...(this.#shown.get(experiment) ?? []), run]);
  }

  #insert(table: string, row: Record<string, unknown>): void {
    const keys = Object.keys(row);
    const values = keys.map(() => "?").join(", ");
    const query = `insert into ${table} (${keys.join(", ")}) values (${values})`;
    this.rows.push(db.prepare(query).bind(...Object.values(row)));
  }

  #chance(p: number): boolean {
    return this.#random() < p;
  }

  #stage(active: number): Stage {
    return this.#chance(active) ? "active" : "deleted";
  }

  #hex(letter: string): string {
    return (
      letter +
      Math.floor(this.#random() * 1e12)
        .toString(16)
        .padStart(31, "0")
    );
  }
}

/** What a run that is added has of its own. */
type About = { streamId: number; key: string; name: string; odd: string | null; stage: Stage };

/** When a trial began of which MLflow tells no start. */
const CREATED = 3;
