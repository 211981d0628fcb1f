import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { type Facts, type JournalEvent, type Point, streamIdentity } from "../../src/domain/types.ts";
import { PARENT_TAG } from "../../src/mlflow/tags.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { digest } from "../../src/relay/intake/identify.ts";
import { ingest } from "../../src/relay/intake/ingest.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { type Death, MOMENTS, mortal, SLEEP_MS } from "./mortal.ts";

/**
 * A turn may end anywhere: its isolate dies, between any two of its round trips to the database, or before it hears the
 * answer of one. Whoever comes next brings the trial to the same end.
 */

const BEGUN_MS = Date.UTC(2026, 0, 1);
/** As many as may call MLflow at once. */
const AT_ONCE = 5;
const MAX_TURNS = 12;
let count = 0;

function point(step: number): Point {
  return { key: "loss", value: 1 / step, step, timestamp: BEGUN_MS + step };
}

type Word = { facts: Facts | null; points?: Point[] };

/** Each is delivered before the next is said. */
const COURSE: Word[] = [
  { facts: { announces: true, starts: true, params: { lr: "0.1" }, tags: { k: "A" } }, points: [point(1)] },
  { facts: null, points: [point(2)] },
  { facts: { tags: { k: "B" } }, points: [point(3)] },
  { facts: { untags: ["k"] } },
  { facts: { announces: true, ends: "succeeded", finals: { loss: 0.01 } } },
];

/**
 * A trial of a model run, said and delivered, by isolates of which one dies.
 * @param isLate whether the model run is announced once its trial has a run
 */
async function brought(death: Death | null, isLate = false) {
  const mlflow = new FakeMlflow();
  const modelRunId = `mortal-${++count}`;
  const parentKey = await digest(streamIdentity(modelRunId, null));
  const key = await digest(streamIdentity(modelRunId, "t"));
  const parent = { key: parentKey, kind: "model_run" as const, modelRunId, trialId: null, parentKey: null };
  const trial = { key, kind: "trial" as const, modelRunId, trialId: "t", parentKey };
  const vars = { RELAY_ANNOUNCE_GRACE_SECONDS: "0" };
  const sound = mlflow.deps(vars);
  let said = 0;
  const say = async (stream: JournalEvent["stream"], { facts, points = [] }: Word, n: number) => {
    const id = `e${n}`;
    const occurredAt = BEGUN_MS + 1_000 * n;
    const event = { stream, id, type: "ml.trial.start" as const, hash: id, correlationId: id, facts, points };
    said++;
    await ingest(sound, [{ ...event, occurredAt, acceptedAt: occurredAt }]);
  };
  const own = `where key in ('${key}', '${parentKey}')`;
  const forgotten = env.DB.prepare(
    `update streams set lease_until = 0, calling_until = null, next_attempt_at = 0,
      fence_until = iif(fence_until is null, null, 0) ${own}`,
  );
  const unsettled = env.DB.prepare(
    `select id from streams ${own} and (delivered_seq < last_seq or doubt is not null)`,
  );
  /** Whatever a dead holder left is over some time later. @returns whether everything has come to rest */
  const later = async () => {
    const [, left] = await env.DB.batch([forgotten, unsettled]);
    return left?.results.length === 0;
  };
  let sleptMs = 0;
  const fresh = new Set<number>();
  let happened = -1;
  const sleep = async () => {
    await later();
    await turnsOf(() => sound);
    sleptMs = SLEEP_MS;
  };
  const { db, state } = mortal(env.DB, death, sleep, (trip) => {
    if (happened !== said + mlflow.calls.length) fresh.add(trip);
    happened = said + mlflow.calls.length;
  });
  let deps: Deps = { ...mlflow.deps({ ...vars, DB: db }), now: () => Date.now() + sleptMs };
  const turnsOf = async (holder: () => Deps) => {
    const { results } = await env.DB.prepare(`select id from streams ${own} order by kind desc`).all<{
      id: number;
    }>();
    for (let n = 0, isSettled = false; n < MAX_TURNS && !isSettled; n++)
      for (const { id } of results) {
        try {
          await drive(holder(), id);
        } catch {
          deps = sound;
        }
        if (deps !== sound && death !== null && state.trips > death.trip) deps = sound;
        isSettled = await later();
      }
  };
  const fields = isLate ? {} : { experiment_name: "e" };
  const turns = () => turnsOf(() => deps);
  const announce = () => say(parent, { facts: { announces: true, starts: true, fields } }, 0);
  if (!isLate) await announce();
  for (const [n, word] of COURSE.entries()) {
    await say(trial, word, n + 1);
    await turns();
    if (!isLate || n > 0) continue;
    await announce();
    await turns();
  }
  const runs = [...mlflow.runs.values()].map(({ name, status, params, tags, metrics }) => ({
    name: name.replace(/^mortal-.*/, "the model run"),
    status,
    params: [...params],
    tags: [...tags].filter(([tag]) => tag === "k"),
    points: metrics.map(({ step, value }) => `${step}: ${value}`).toSorted(),
  }));
  const left = await env.DB.prepare(
    `select (select count(*) from batches where stream_id in (select id from streams ${own}))
       + (select count(sending_token) from streams ${own}) as n`,
  ).first("n");
  return {
    runs: runs.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    left,
    isNested: [...mlflow.runs.values()].some(({ tags }) => mlflow.runs.has(tags.get(PARENT_TAG) ?? "")),
    isSettled: await later(),
    trips: state.trips,
    /** The trips between which and the one before something else was done than to hear its answer. */
    fresh,
  };
}

type Brought = Awaited<ReturnType<typeof brought>>;
/** No two courses need take the same trips. */
const COST = { trips: 0, fresh: 0 };

/**
 * Has one round trip after the other of an untroubled course go wrong; each comes to the same end.
 * @param moment before one that is not fresh, the database and MLflow are as they are after the one before
 */
async function atEachTrip(
  untroubled: Brought,
  moment: Death["moment"],
  troubled: (trip: number) => Promise<Brought>,
  isMeant: (trip: number) => boolean = (trip) => moment === "after" || untroubled.fresh.has(trip),
): Promise<void> {
  const trips = Array.from({ length: untroubled.trips }, (_, trip) => trip).filter(isMeant);
  for (let from = 0; from < trips.length; from += AT_ONCE) {
    const some = trips.slice(from, from + AT_ONCE);
    for (const [i, outcome] of (await Promise.all(some.map(troubled))).entries())
      expect({ trip: some[i], ...outcome, ...COST }).toEqual({ trip: some[i], ...untroubled, ...COST });
  }
}

test.each(MOMENTS)(
  "an isolate that dies %s any of its round trips to the database loses and doubles nothing",
  async (moment) => {
    const untroubled = await brought(null);
    expect(untroubled).toMatchObject({
      isSettled: true,
      left: 0,
      runs: [
        { name: "t", status: "FINISHED", params: [["lr", "0.1"]], tags: [] },
        { name: "the model run", status: "RUNNING" },
      ],
    });
    await atEachTrip(untroubled, moment, (trip) => brought({ trip, moment }));
  },
);

test.each(MOMENTS)(
  "an isolate that sleeps %s any of its round trips, while another does its work, loses and doubles nothing",
  async (moment) => {
    // Before one is soon after the one before it: each is slept at once.
    const isMeant = (trip: number) => trip % 2 === (moment === "before" ? 0 : 1);
    const asleep = (trip: number) => brought({ trip, moment, sleeps: true });
    await atEachTrip(await brought(null), moment, asleep, isMeant);
  },
);

test.each(MOMENTS)(
  "a model run that was announced after its trial got a run is its parent, though an isolate dies %s any of its round trips",
  async (moment) => {
    const untroubled = await brought(null, true);
    expect(untroubled).toMatchObject({ isSettled: true, left: 0, isNested: true });
    await atEachTrip(untroubled, moment, (trip) => brought({ trip, moment }, true));
  },
);
