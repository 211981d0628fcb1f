import { env } from "cloudflare:workers";
import { drizzle } from "drizzle-orm/d1";
import * as fc from "fast-check";
import * as z from "zod";
import { wireNumber } from "../../src/domain/facts-schema.ts";
import type { JournalEvent, Point } from "../../src/domain/types.ts";
import { drive } from "../../src/relay/delivery/drive.ts";
import { bury } from "../../src/store/delivery/dead-letters.ts";
import { type Replay, storeReplays } from "../../src/store/delivery/replays.ts";
import { joinChunks } from "../../src/store/journal/joined-chunks.ts";
import { journal } from "../../src/store/journal/journal.ts";
import { FakeMlflow } from "./fake-mlflow.ts";
import { POINTS } from "./stored-points.ts";

/** A trial whose points come in every way, and what is to be of them: a set. */

export const KEYS = ["loss", "acc", "größe"];
const NUMBERS = [0.1 + 0.2, 0.3, 1e-320, 5e-324, 1.7976931348623157e308, 0, 1, -2.5];
export const VALUES = [...NUMBERS, "NaN", "Infinity", "-Infinity"];

export const point = fc.record({
  key: fc.constantFrom(...KEYS),
  value: fc.constantFrom(...VALUES),
  step: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(-3, 1_000_000, 2 ** 53 - 1)),
  timestamp: fc.oneof(fc.integer({ min: 1_000, max: 1_003 }), fc.constantFrom(0, 2 ** 53 - 1)),
});
const observed = z.array(
  z.object({ key: z.string(), value: wireNumber, step: z.number(), timestamp: z.number() }),
);

/** A point, and the event that it is of. */
export type Stored = { point: Point; eventId: string };

export const textOf = ({ key, step, timestamp, value }: Point) =>
  JSON.stringify([key, step, timestamp, value]);
/** Points to be compared as a set, in which none may be twice. */
export const texts = (points: readonly Point[]) => points.map(textOf).sort();

/** What a request adds: the points of what is known by its content come last, and are told without their time. */
export function add(known: Stored[], request: readonly JournalEvent[]): void {
  const isSame = (a: Point, b: Point) => a.key === b.key && a.step === b.step && a.value === b.value;
  for (const byContent of [false, true])
    for (const { id, points } of request.filter((event) => (event.byContent ?? false) === byContent))
      for (const mine of points)
        if (!known.some(({ point: p }) => isSame(p, mine) && (byContent || p.timestamp === mine.timestamp)))
          known.push({ point: mine, eventId: id });
}

/** A trial that has a run in MLflow as soon as it has a turn. */
export async function pointsWorld() {
  const key = crypto.randomUUID();
  const stream = { key, kind: "trial" as const, modelRunId: key, trialId: "t", parentKey: null };
  const mlflow = new FakeMlflow();
  const deps = mlflow.deps({ RELAY_ANNOUNCE_GRACE_SECONDS: "0", RELAY_PARENT_RUNS: "false" });
  let count = 0;
  const event = (more: Partial<JournalEvent>): JournalEvent => {
    const id = more.id ?? `${++count}`;
    const at = { occurredAt: 1_000 + count, acceptedAt: 1_000 + count, correlationId: id };
    return { stream, id, hash: `of ${id}`, type: "ml.run.metric", facts: null, points: [], ...at, ...more };
  };
  const say = (...events: JournalEvent[]) => journal(env.DB, events, Date.now());
  await say(event({ type: "ml.trial.start", facts: { announces: true, starts: true } }));
  const first = <T>(query: string, column: string, ...bound: unknown[]) =>
    env.DB.prepare(query)
      .bind(...bound)
      .first<T>(column);
  const id = (await first<number>("select id from streams where key = ?1", "id", key)) ?? -1;
  const turn = () => drive(deps, id);
  return {
    id,
    event,
    say,
    turn,
    turns: async () => {
      for (let i = 0; i < 5; i++) await turn();
    },
    /** Has a turn, and joins the chunks of what is folded, of so many events each. */
    join: async (size: number) => {
      await turn();
      const folded =
        (await first<number>("select folded_seq from streams where id = ?1", "folded_seq", id)) ?? 0;
      const [query, ...others] = joinChunks(
        env.DB,
        id,
        { begin: 0, end: folded - (folded % size), size },
        "?3",
        1,
      );
      if (query) await drizzle(env.DB).batch([query, ...others]);
    },
    inMlflow: () => observed.parse([...mlflow.runs.values()].flatMap(({ metrics }) => metrics)),
    stored: async () => {
      const all = env.DB.prepare(`select * from ${POINTS} where stream_id = ?1`).bind(id);
      return observed.parse((await all.all()).results);
    },
    /** Sends points again that MLflow refused; the id of the event under which they go. */
    replay: async (points: readonly Point[], edit: (item: Point) => Point) => {
      const letters: Replay["letters"] = [];
      for (const one of points) {
        const item = JSON.stringify(one);
        await bury(env.DB, { streamId: id, kind: "metric", item, reason: "no", createdAt: 1 });
        const query = "select id from dead_letters where stream_id = ?1 and item = ?2";
        const letter = (await first<number>(query, "id", id, item)) ?? -1;
        letters.push({ id: letter, kind: "metric", item: JSON.stringify(edit(one)) });
      }
      await storeReplays(env.DB, [{ streamId: id, letters, edited: true }], Date.now());
      const query = "select event_id from events where stream_id = ?1 order by seq desc limit 1";
      return (await first<string>(query, "event_id", id)) ?? "";
    },
  };
}
