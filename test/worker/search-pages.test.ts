import { env } from "cloudflare:workers";
import { beforeEach, expect, it } from "vitest";
import { seeded } from "../../scripts/demo/random.ts";
import { call } from "./gateway-api.ts";

/**
 * Searches of runs, page by page, in any state of the tables: by the relay's token, by a bare offset and all at once they are
 * what a plain sort of all rows gives.
 */

const { DB: db } = env;
const GAMES = 24;

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

beforeEach(async () => {
  await db.batch(TABLES.map((table) => db.prepare(`delete from ${table}`)));
});

type Shown = {
  id: string;
  start: number;
  status: string;
  stage: "active" | "deleted";
  odd: string | null;
  name: string;
  names: string[];
};

const OURS = ["900000000000000001", "900000000000000002", "900000000000000003"];
const THERE = ["11", "12", "13", "14"];
const STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"];
const OWN = {
  running: "RUNNING",
  succeeded: "FINISHED",
  failed: "FAILED",
  skipped: "KILLED",
  cancelled: "KILLED",
  initialized: "RUNNING",
} as const;

function picker(random: () => number) {
  return <T>(all: readonly T[]): T => {
    const one = all[Math.floor(random() * all.length)];
    if (one === undefined) throw new Error("nothing to pick from");
    return one;
  };
}

/** A world at random, and what is to be seen of it. */
async function world(random: () => number) {
  const pick = picker(random);
  const chance = (p: number) => random() < p;
  const rows: D1PreparedStatement[] = [];
  const insert = (table: string, row: Record<string, unknown>) => {
    const keys = Object.keys(row);
    rows.push(
      db
        .prepare(`insert into ${table} (${keys.join(", ")}) values (${keys.map(() => "?").join(", ")})`)
        .bind(...Object.values(row)),
    );
  };
  const shared = chance(0.3);
  const ours = OURS.map((id, i) => ({
    id,
    there: chance(0.75) ? (shared && i === 1 ? "11" : (THERE[i] ?? null)) : null,
    lifecycle: chance(0.8) ? "active" : "deleted",
    created: i + 1,
  }));
  const there = THERE.map((id) => ({
    id,
    lifecycle: chance(0.8) ? "active" : "deleted",
    isMirrored: chance(0.9),
  }));
  for (const { id, lifecycle, isMirrored } of there)
    if (isMirrored)
      insert("mlflow_experiments", {
        mlflow_experiment_id: id,
        name: id,
        lifecycle_stage: lifecycle,
        synced_at: 1,
      });
  for (const { id, there, lifecycle, created } of ours)
    insert("gateway_experiments", {
      id,
      mlflow_experiment_id: there,
      name: `e${id}`,
      artifact_location: "a",
      lifecycle,
      created_time: created,
      updated_time: 1,
    });
  const hasNulls = chance(0.15);
  const spread = pick([1, 4, 40]);
  const big = chance(0.2) ? [2 ** 63, -(2 ** 63)] : [];
  const start = () => (big.length > 0 && chance(0.05) ? pick(big) : Math.floor(random() * spread) - 1);
  const shown = new Map<string, Shown[]>();
  const show = (experiment: string, run: Shown) =>
    shown.set(experiment, [...(shown.get(experiment) ?? []), run]);
  const many = Math.floor(random() * 60);
  let n = 0;
  const hex = (letter: string) =>
    letter +
    Math.floor(random() * 1e12)
      .toString(16)
      .padStart(31, "0");
  const firstOf = (id: string) => {
    const [first] = ours.filter((e) => e.there === id).toSorted((a, b) => a.created - b.created);
    return first;
  };
  const deletedOf = (id: string) => {
    const first = firstOf(id);
    const mirrored = there.find((e) => e.id === id && e.isMirrored);
    return (first?.lifecycle ?? mirrored?.lifecycle) === "deleted";
  };
  for (let i = 0; i < many; i++) {
    const streamId = ++n;
    const key = hex("a");
    const odd = chance(0.5) ? String(i % 2) : null;
    const stage = chance(0.75) ? "active" : "deleted";
    const kind = pick(["client", "client", "trial", "modelRun", "mlflow", "mlflow"]);
    if (kind === "client") {
      const e = pick(ours);
      const status = pick(STATUSES);
      const runStart = chance(0.2) ? null : start();
      const created = start();
      const isAdopted = chance(0.2) && e.there !== null;
      const mlflowId = e.there !== null && (chance(0.7) || isAdopted) ? hex("c") : null;
      const runId = isAdopted && mlflowId ? mlflowId : key;
      const isGhost = chance(0.1);
      insert("streams", {
        id: streamId,
        key,
        kind: "trial",
        trial_id: key,
        created_at: 5,
        updated_at: 1,
        mlflow_experiment_id: e.there,
        mlflow_run_id: mlflowId,
        adopted: Number(isAdopted),
      });
      insert("gateway_runs", {
        stream_id: streamId,
        run_id: runId,
        experiment_id: e.id,
        status,
        start_time: runStart,
        artifact_uri: "a",
        lifecycle: stage,
        created_at: created,
        run_name: `n${i % 3}`,
        create_hash: isGhost ? key : null,
        touched_at: isGhost ? null : 1,
      });
      if (isGhost) {
        const twin = ++n;
        insert("streams", {
          id: twin,
          key: hex("b"),
          kind: "trial",
          trial_id: "twin",
          created_at: 5,
          updated_at: 1,
        });
        insert("gateway_runs", {
          stream_id: twin,
          run_id: hex("b"),
          experiment_id: "other",
          artifact_uri: "a",
          created_at: created,
          create_hash: key,
          touched_at: 1,
        });
      }
      if (odd !== null) insert("params", { stream_id: streamId, key: "odd", value: odd, seq: 1 });
      if (mlflowId !== null && chance(0.8))
        insert("mlflow_runs", {
          mlflow_run_id: mlflowId,
          mlflow_experiment_id: e.there,
          stream_id: streamId,
          status: pick(STATUSES),
          start_time: runStart ?? created,
          lifecycle_stage: pick(["active", "deleted"]),
          synced_at: 1,
        });
      if (!isGhost)
        show(e.id, {
          id: runId,
          start: runStart ?? created,
          status,
          stage,
          odd,
          name: `n${i % 3}`,
          names: [key, runId, ...(mlflowId ? [mlflowId] : [])],
        });
      continue;
    }
    const e = pick(THERE);
    const isNull = hasNulls && chance(0.2);
    const at = start();
    const mlflowId = hex("d");
    const status = pick(STATUSES);
    const isGone = chance(0.1);
    const data = odd === null ? null : JSON.stringify({ params: { odd } });
    const seen = {
      mlflow_run_id: mlflowId,
      mlflow_experiment_id: e,
      status,
      start_time: isNull ? null : at,
      lifecycle_stage: stage,
      synced_at: 1,
      gone_at: isGone ? 1 : null,
      data,
      run_name: `n${i % 3}`,
    };
    const isDeleted = deletedOf(e);
    if (kind === "mlflow") {
      insert("mlflow_runs", { ...seen, stream_id: null });
      if (!isGone)
        show(e, {
          id: mlflowId,
          start: isNull ? 0 : at,
          status,
          stage: isDeleted ? "deleted" : stage,
          odd,
          name: `n${i % 3}`,
          names: [mlflowId],
        });
      continue;
    }
    const isAdopted = chance(0.3);
    const special = kind === "trial" ? ("skipped" as const) : ("initialized" as const);
    const own = pick(["running", "succeeded", "failed", "cancelled", special] as const);
    insert("streams", {
      id: streamId,
      key,
      kind: kind === "trial" ? "trial" : "model_run",
      trial_id: kind === "trial" ? key : null,
      model_run_id: kind === "trial" ? null : key,
      created_at: 3,
      updated_at: 1,
      mlflow_experiment_id: e,
      mlflow_run_id: mlflowId,
      adopted: Number(isAdopted),
    });
    const isFolded = chance(0.9);
    if (isFolded && kind === "trial")
      insert("trials", {
        id: streamId,
        key,
        trial_id: key,
        status: own,
        created_at: 1,
        updated_at: 1,
        run_name: `n${i % 3}`,
      });
    if (isFolded && kind === "modelRun")
      insert("model_runs", {
        id: streamId,
        model_run_id: key,
        state: own,
        created_at: 1,
        updated_at: 1,
        run_name: `n${i % 3}`,
      });
    insert("mlflow_runs", { ...seen, stream_id: streamId });
    if (odd !== null) insert("params", { stream_id: streamId, key: "odd", value: odd, seq: 1 });
    const id = isAdopted ? mlflowId : key;
    show(e, {
      id,
      start: isNull ? 3 : at,
      status: isFolded ? OWN[own] : status,
      stage: isDeleted ? "deleted" : stage,
      odd,
      name: isFolded ? `n${i % 3}` : key,
      names: [key, mlflowId],
    });
  }
  for (let at = 0; at < rows.length; at += 50) await db.batch(rows.slice(at, at + 50));
  /** Of the experiments asked for, whichever of their names. */
  const seenIn = (ids: readonly string[]) => {
    const theirs = new Set<string>();
    for (const id of ids) {
      const own = ours.find((e) => e.id === id);
      if (own?.there) theirs.add(own.there);
      if (!own) theirs.add(id);
    }
    const own = new Set(ids.filter((id) => ours.some((e) => e.id === id)));
    for (const e of ours) if (e.there && theirs.has(e.there)) own.add(e.id);
    return [...own, ...theirs].flatMap((id) => shown.get(id) ?? []);
  };
  return { seenIn, all: [...shown.values()].flat() };
}

type Answer = { runs?: { info: { run_id: string; start_time: number } }[]; next_page_token?: string };

async function ids(
  asked: object,
): Promise<{ runs: { info: { run_id: string; start_time: number } }[]; token: string | undefined }> {
  const { status, body } = await call("runs/search", asked);
  expect(status, JSON.stringify({ asked, body })).toBe(200);
  const answer: Answer = body;
  return { runs: answer.runs ?? [], token: answer.next_page_token };
}

it("all pages are one, and that is all that there is, in order", async () => {
  const wrong: string[] = [];
  for (let game = 0; game < GAMES; game++) {
    const random = seeded(game + 1);
    const pick = picker(random);
    await db.batch(TABLES.map((table) => db.prepare(`delete from ${table}`)));
    const { seenIn, all } = await world(random);
    for (let search = 0; search < 8; search++) {
      const experiment_ids = [...OURS, ...THERE, "77"].filter(() => random() < pick([0.2, 0.9]));
      if (experiment_ids.length === 0) continue;
      const named = all.filter(() => random() < 0.2).map(({ names }) => pick(names));
      const status = pick(STATUSES);
      const filters: [string, (run: Shown) => boolean][] = [
        ["", () => true],
        [`attributes.status = '${status}'`, (run) => run.status === status],
        [`attributes.status != '${status}'`, (run) => run.status !== status],
        ["params.odd = '1'", (run) => run.odd === "1"],
        [`params.odd = '1' and status = '${status}'`, (run) => run.odd === "1" && run.status === status],
        ["start_time > 0", (run) => run.start > 0],
        ["start_time <= 1 and start_time != 0", (run) => run.start <= 1 && run.start !== 0],
        ["run_name LIKE 'n1%'", (run) => run.name === "n1"],
        ...(named.length === 0
          ? []
          : ([
              [
                `run_id IN (${named.map((id) => `'${id}'`).join(", ")})`,
                (run) => run.names.some((name) => named.includes(name)),
              ],
              [
                `status = 'RUNNING' and run_id IN (${named.map((id) => `'${id}'`).join(", ")})`,
                (run) => run.status === "RUNNING" && run.names.some((name) => named.includes(name)),
              ],
              [`run_id = '${named[0]}'`, (run) => run.names.includes(named[0] ?? "")],
              [
                `run_id NOT IN (${named.map((id) => `'${id}'`).join(", ")})`,
                (run) => !run.names.some((name) => named.includes(name)),
              ],
            ] satisfies [string, (run: Shown) => boolean][])),
      ];
      const [filter, fits] = pick(filters);
      const view = pick(["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]);
      const way = pick([null, "DESC", "ASC"]);
      const asked = {
        experiment_ids,
        filter,
        run_view_type: view,
        ...(way === null ? {} : { order_by: [`attributes.start_time ${way}`] }),
      };
      const sign = way === "ASC" ? 1 : -1;
      const expected = seenIn(experiment_ids)
        .filter(
          (run) => fits(run) && (view === "ALL" || (run.stage === "active") === (view === "ACTIVE_ONLY")),
        )
        .toSorted((a, b) => sign * (a.start - b.start) || (a.id < b.id ? -1 : 1))
        .map(({ id }) => id);
      const max_results = pick([1, 2, 3, 7, 20]);
      const whole = (await ids({ ...asked, max_results: 50_000 })).runs.map(({ info }) => info.run_id);
      const say = (how: string, got: readonly string[]) => {
        if (JSON.stringify(got) !== JSON.stringify(expected))
          wrong.push(
            JSON.stringify({
              game,
              how,
              asked,
              max_results,
              got: got.length,
              want: expected.length,
              more: got
                .filter((id) => !expected.includes(id))
                .map((id) => JSON.stringify(all.find((x) => x.id === id) ?? id)),
              less: expected.filter((id) => !got.includes(id)),
            }),
          );
      };
      say("whole", whole);
      const byToken: string[] = [];
      for (let page_token: string | undefined; ; ) {
        const { runs, token } = await ids({ ...asked, max_results, ...(page_token ? { page_token } : {}) });
        byToken.push(...runs.map(({ info }) => info.run_id));
        page_token = token;
        if (page_token === undefined || byToken.length > 200) break;
      }
      say("token", byToken);
      const byPlace: string[] = [];
      for (let page_token: string | undefined; ; ) {
        const { runs, token } = await ids({ ...asked, max_results, ...(page_token ? { page_token } : {}) });
        byPlace.push(...runs.map(({ info }) => info.run_id));
        const last = runs.at(-1)?.info;
        page_token = btoa(
          JSON.stringify({ offset: byPlace.length, after: [last?.start_time, last?.run_id] }),
        );
        if (token === undefined || byPlace.length > 200) break;
      }
      say("place", byPlace);
    }
  }
  expect(wrong).toEqual([]);
});
