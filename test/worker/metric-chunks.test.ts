import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalEvent, Point } from "../../src/domain/types.ts";
import { readNext } from "../../src/store/delivery/batch-plan.ts";
import { pointsOf } from "../../src/store/journal/chunk-points.ts";
import { journal } from "../../src/store/journal/journal.ts";
import { expectedKeys } from "../../src/store/readback/expected.ts";
import { metered } from "./metered.ts";
import { expectRead } from "./points-read.ts";
import { add, KEYS, point, pointsWorld, type Stored, texts, VALUES } from "./points-world.ts";

/** Points are a set, however they came and wherever they lie: every reader sees each once. */

const RUNS = { numRuns: 20 };
const turn = fc.constant("turn" as const);
/** Small chunks are joined, of stretches of so many events. */
const joined = fc.constantFrom(4, 8, 16);

type Said = { points: Point[] } | { contents: Point[] } | { again: number; asItself: boolean };

/** An event with new points, or an older one again: as it was, or only its points. */
const said: fc.Arbitrary<Said> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ points: fc.array(point, { maxLength: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ contents: fc.array(point, { maxLength: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ again: fc.nat(), asItself: fc.boolean() }) },
);

describe("whatever is sent, in any order, with any repeats", () => {
  it("is folded, delivered and read as a set of points", async () => {
    const doing = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.array(said, { minLength: 1, maxLength: 1 }) },
        { weight: 2, arbitrary: fc.array(said, { minLength: 1, maxLength: 5 }) },
        { weight: 2, arbitrary: turn },
        { weight: 2, arbitrary: joined },
      ),
      { minLength: 8, maxLength: 30, size: "max" },
    );
    await fc.assert(
      fc.asyncProperty(doing, fc.tuple(fc.nat(20), fc.nat(20)), async (requests, cuts) => {
        const w = await pointsWorld();
        const [events, known]: [JournalEvent[], Stored[]] = [[], []];
        const eventOf = (one: Said): JournalEvent[] => {
          if ("points" in one) return [w.event(one)];
          if ("contents" in one)
            return [w.event({ type: "ml.trial.complete", points: one.contents, byContent: true })];
          const older = events[one.again % events.length];
          if (older === undefined) return [];
          return [one.asItself ? older : w.event({ points: older.points })];
        };
        for (const request of requests) {
          const sent = Array.isArray(request) ? request.flatMap(eventOf) : [];
          if (request === "turn") await w.turn();
          if (typeof request === "number") await w.join(request);
          if (sent.length === 0) continue;
          await w.say(...sent);
          add(
            known,
            [...new Set(sent)].filter((event) => !events.includes(event)),
          );
          events.push(...sent.filter((event) => !event.byContent));
        }
        await w.turns();
        const points = known.map((one) => one.point);
        expect(texts(w.inMlflow()), "in MLflow").toEqual(texts(points));
        const counts = Map.groupBy(points, ({ key }) => key);
        expect(new Map((await expectedKeys(env.DB, w.id)).map(({ key, count }) => [key, count]))).toEqual(
          new Map([...counts].map(([key, some]) => [key, some.length])),
        );
        await expectRead(w.id, known, cuts);
      }),
      RUNS,
    );
  });

  it("is not taken again under another id, the metrics of ends that delivery gave a step among it", async () => {
    const end = fc.record({ finals: fc.dictionary(fc.constantFrom(...KEYS), fc.constantFrom(...VALUES)) });
    const points = fc.array(point, { maxLength: 4 });
    const request = fc.array(fc.oneof(end, points), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(request, turn, joined), { minLength: 6, maxLength: 16, size: "max" }),
        async (requests) => {
          const w = await pointsWorld();
          const eventOf = (one: Point[] | { finals: Record<string, string | number> }) =>
            "finals" in one
              ? w.event({ type: "ml.trial.complete", facts: { ends: "succeeded", finals: one.finals } })
              : w.event({ points: one });
          for (const some of requests) {
            if (some === "turn") await w.turn();
            else await (typeof some === "number" ? w.join(some) : w.say(...some.map(eventOf)));
          }
          await w.turns();
          const before = texts(w.inMlflow());
          expect(new Set(before).size, "once each").toBe(before.length);
          expect(texts(await w.stored())).toEqual(before);
          for (const one of w.inMlflow()) await w.say(w.event({ points: [one] }));
          await w.turns();
          expect(texts(w.inMlflow())).toEqual(before);
          expect(texts(await w.stored())).toEqual(before);
        },
      ),
      RUNS,
    );
  });

  it("is found where it lies after dead letters were sent again, as they were or changed", async () => {
    const requests = fc.array(fc.array(point, { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 4,
    });
    const replay = fc.record({
      which: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      changed: fc.option(fc.record({ step: fc.nat(12) })),
    });
    await fc.assert(
      fc.asyncProperty(requests, fc.array(replay, { maxLength: 3 }), async (sent, replays) => {
        const w = await pointsWorld();
        const known: Stored[] = [];
        for (const points of sent) {
          const event = w.event({ points });
          await w.say(event);
          add(known, [event]);
        }
        await w.turns();
        for (const { which, changed } of replays) {
          await w.join(4);
          const chosen = [...new Set(which.map((n) => n % known.length))].flatMap((n) => known[n] ?? []);
          const edit = (item: Point) => ({ ...item, ...changed });
          const points = chosen.map((one) => one.point);
          const id = await w.replay(points, edit);
          for (const one of chosen) known.splice(known.indexOf(one), 1);
          add(known, [w.event({ id, points: points.map(edit) })]);
        }
        await w.turns();
        await expectRead(w.id, known, [1, 3]);
      }),
      RUNS,
    );
  });

  it("is delivered once where a turn ends within a chunk", async () => {
    const w = await pointsWorld();
    const points = Array.from({ length: 3_000 }, (_, step) =>
      KEYS.map((key) => ({ key, value: step, step, timestamp: step })),
    );
    await w.say(...points.map((some) => w.event({ points: some })));
    await w.turns();
    expect(texts(w.inMlflow())).toEqual(texts(points.flat()));
  });
});

describe("points that came one by one", () => {
  it("are few chunks as soon as they are folded", async () => {
    const w = await pointsWorld();
    const points = Array.from({ length: 600 }, (_, step) => ({
      key: "loss",
      value: 1 / (step + 1),
      step,
      timestamp: step,
    }));
    const chunks = async () =>
      env.DB.prepare("select count(*) as chunks from metric_chunks where stream_id = ?1")
        .bind(w.id)
        .first("chunks");
    for (const point of points) await w.say(w.event({ points: [point] }));
    expect(await chunks()).toBe(600);
    await w.turns();
    // Two stretches of 256 events, and what came since.
    expect(await chunks()).toBe(2 + (601 - 511));
    expect(texts(await w.stored())).toEqual(texts(points));
    expect(texts(w.inMlflow())).toEqual(texts(points));
  });
});

describe("what is read", () => {
  it("to know a point again does not grow with what came since one of an extreme step and time", async () => {
    const w = await pointsWorld();
    const at = (step: number) => ({ key: "loss", value: 1, step, timestamp: step });
    await w.say(w.event({ points: [at(2 ** 53 - 1)] }));
    let step = 0;
    const readAfter = async (more: number) => {
      for (const end = step + more; step < end; step++) await w.say(w.event({ points: [at(step)] }));
      await w.turns();
      const { db, meter } = metered(env.DB);
      await journal(db, [w.event({ points: [at(0)] })], 1);
      return meter.most;
    };
    const [few, many] = [await readAfter(300), await readAfter(511)];
    expect(many).toBeLessThan(1.2 * few);
    await w.turns();
    expect(await w.stored()).toHaveLength(812);
  });

  it("for a helping does not grow with what is behind it", async () => {
    const readOfFirst = async (backlog: number) => {
      const w = await pointsWorld();
      const keys = Array.from({ length: 200 }, (_, n) => `metric ${n}`);
      for (let step = 0; step < backlog; step++)
        await w.say(w.event({ points: keys.map((key) => ({ key, value: 1, step, timestamp: step })) }));
      const { db, meter } = metered(env.DB);
      const [, chunks] = await readNext(db, { id: w.id, plannedSeq: 0, foldedSeq: backlog + 1 });
      expect(chunks.length).toBeGreaterThan(3_000);
      return meter.most;
    };
    const [few, many] = [await readOfFirst(20), await readOfFirst(100)];
    expect(many).toBeLessThan(1.2 * few);
  });

  it("for a helping that ends within a chunk is all of it, though delivery put an end's metric before the chunk's last", async () => {
    const w = await pointsWorld();
    const points = Array.from({ length: 6_000 }, (_, step) => ({
      key: "loss",
      value: 1,
      step,
      timestamp: 1,
    }));
    const some = (from: number) => w.event({ points: points.slice(from, from + 1_500) });
    const end = w.event({
      type: "ml.trial.complete",
      facts: { ends: "succeeded", finals: { loss: 0.5 } },
    });
    await w.say(some(0), some(1_500), some(3_000), end, some(4_500));
    await w.turns();
    expect(await w.stored()).toHaveLength(6_001);
    const [events, chunks] = await readNext(env.DB, { id: w.id, plannedSeq: 0, foldedSeq: 6 });
    expect(pointsOf(chunks, events)).toMatchObject(points.slice(0, 3_000));
  });
});
