import { beforeEach, expect, it } from "vitest";
import { sent } from "./api.ts";
import { call, newRun, read } from "./gateway-api.ts";
import { emptied, gatewayWorld } from "./gateway-world.ts";
import { losing } from "./losing.ts";
import { mortal } from "./mortal.ts";

/** Whoever delivers hears of what MLflow's clients write, whatever it is doing just then. */

beforeEach(emptied);

const log = (run_id: string, step: number) =>
  call("runs/log-metric", { run_id, key: "loss", value: 1, timestamp: 1, step });
const SOON_MS = 5_000;
/** Of a turn's round trips: the first reads, the second claims. */
const CLAIM = 1;

/** What is sent to the queue by some work. */
async function sentBy(work: () => Promise<unknown>): Promise<unknown[]> {
  const before = sent.trials.length;
  await work();
  return sent.trials.slice(before);
}

it("hears of a write after one that was refused", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment() });
  await call("runs/log-parameter", { run_id, key: "lr", value: "1" });
  await w.deliver();
  expect(await sentBy(() => call("runs/log-parameter", { run_id, key: "lr", value: "2" }))).toEqual([]);
  const poke = {
    body: { kind: "poke", streamId: await w.streamOf(run_id) },
    delaySeconds: expect.any(Number),
  };
  expect(await sentBy(() => log(run_id, 1))).toEqual([poke]);
});

it("hears of the first use of a run, though it comes in the turn that finds it unused", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment() });
  let isUsed = false;
  const use = async () => {
    if (isUsed) return;
    isUsed = true;
    await log(run_id, 1);
    // Its own poke finds the run in other hands.
    await w.turn(run_id);
  };
  const prepare = (sql: string) => {
    const statement = w.deps.db.prepare(sql);
    return sql.includes("as isLifecycleTold") ? usedAfter(statement, use) : statement;
  };
  const db = new Proxy(w.deps.db, {
    get(target, name) {
      if (name === "prepare") return prepare;
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const driven = await w.turn(run_id, { ...w.deps, db });
  expect(isUsed).toBe(true);
  expect("poke" in driven && driven.poke !== null && driven.poke <= SOON_MS).toBe(true);
});

it("hears of it as late as that turn may be, where the run is only read", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment() });
  const pokes = await sentBy(() => read("runs/get", { run_id }));
  expect(pokes).toMatchObject([{ body: { kind: "poke" }, delaySeconds: 2 }]);
  expect(await sentBy(() => read("runs/get", { run_id }))).toEqual([]);
});

it("hears of the first use of a run where another is nested under it", async () => {
  const w = gatewayWorld();
  const experiment_id = await w.experiment();
  const parent = await newRun({ experiment_id });
  const nest = () => newRun({ experiment_id, tags: [{ key: "mlflow.parentRunId", value: parent }] });
  expect(await sentBy(nest)).toContainEqual({
    body: { kind: "poke", streamId: await w.streamOf(parent) },
    delaySeconds: expect.any(Number),
  });
});

it("hears of a run's deletion, though it comes in the turn that looks at the run before it is renamed", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment() });
  await log(run_id, 1);
  await w.deliver();
  await call("runs/update", { run_id, run_name: "renamed" });
  const death = { trip: CLAIM, moment: "after", sleeps: true } as const;
  const { db } = mortal(w.deps.db, death, async () => void (await call("runs/delete", { run_id })));
  await w.turn(run_id, { ...w.deps, db });
  await w.deliver();
  expect(w.runs().get(run_id)).toMatchObject([{ name: "renamed", lifecycle: "deleted" }]);
});

/** A statement after whose answer something is done. */
function usedAfter(statement: D1PreparedStatement, use: () => Promise<void>): D1PreparedStatement {
  return new Proxy(statement, {
    get(target, name) {
      if (name === "bind") return (...values: unknown[]) => usedAfter(target.bind(...values), use);
      if (name === "all")
        return async () => {
          const answer = await target.all();
          await use();
          return answer;
        };
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

it("hears of a tag that is taken away though the database's answer to that is lost, and so does who asked", async () => {
  const w = gatewayWorld();
  const run_id = await newRun({ experiment_id: await w.experiment() });
  await call("runs/set-tag", { run_id, key: "note", value: "1" });
  const { db, losses } = losing({ isLost: (n) => n === 0, when: "after", among: /insert into events/i });
  const untag = () => call("runs/delete-tag", { run_id, key: "note" }, { bindings: { DB: db } });
  const answers: unknown[] = [];
  const told = await sentBy(async () => void answers.push(await untag()));
  expect([losses(), answers]).toMatchObject([1, [{ status: 200, body: {} }]]);
  expect(told).toMatchObject([{ body: { kind: "poke" } }]);
  expect((await untag()).status).toBe(404);
});
