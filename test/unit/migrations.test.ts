import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import * as z from "zod";

const FOLDER = resolve(import.meta.dirname, "../../migrations");
const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".sql"))
  .sort();

const apply = (db: DatabaseSync, some: readonly string[]) => {
  for (const name of some) db.exec(readFileSync(join(FOLDER, name), "utf8"));
};

/** A database as it was before a migration, with what was stored then, and brought up to it. */
function migrated(name: string, stored: readonly string[]): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  const at = names.indexOf(name);
  apply(db, names.slice(0, at));
  for (const statement of stored) db.exec(statement);
  apply(db, [name]);
  return db;
}

const chunkRow = z.object({
  stream_id: z.number(),
  key: z.string(),
  seq: z.number(),
  n: z.number(),
  first_seq: z.number(),
  min_step: z.number(),
  max_step: z.number(),
  top: z.number(),
  latest: z.number(),
  points: z
    .string()
    .transform((json): unknown => JSON.parse(json))
    .pipe(
      z.array(z.tuple([z.number(), z.number(), z.number(), z.number(), z.union([z.number(), z.string()])])),
    ),
});

const text = (value: string | null) => (value === null ? "null" : `'${value.replaceAll("'", "''")}'`);

describe("what was stored before a migration is understood after it", () => {
  const deleted = (name: string) => `gone: experiment "${name}" is deleted in MLflow`;

  it.each([
    [null, null, null, null],
    [deleted("a study"), null, "gone_experiment", "a study"],
    [deleted('it "is" deleted in MLflow'), null, "gone_experiment", 'it "is" deleted in MLflow'],
    ["gone: The run abc must be in the 'active' state", "abc", "gone_run", "abc"],
    ["gone: the trial names MLflow run asked, which does not exist", null, "gone_run", "asked"],
    ["conflict: it is another", "abc", "conflict", null],
    ["exists: the name is taken", null, "exists", null],
    ["missing: no such tag", null, "missing", null],
    ["misconfigured: HTTP 403", null, "misconfigured", null],
    ["invalid: too long", null, "invalid", null],
    [`forgotten: ${deleted("a study")}`, null, "forgotten", null],
  ])("blocked for %j, with the run %j", (reason, runId, kind, on) => {
    const db = migrated("0003_blocked_kinds.sql", [
      `insert into streams (id, key, kind, created_at, updated_at, mlflow_run_id, blocked_reason)
       values (1, 'k', 'trial', 0, 0, ${text(runId)}, ${text(reason)})`,
      `insert into trials (id, key, trial_id, requested_run_id, created_at, updated_at)
       values (1, 'k', 't', 'asked', 0, 0)`,
    ]);
    const row = db.prepare("select blocked_kind, blocked_on, blocked_reason from streams").get();
    expect({ ...row }).toEqual({ blocked_kind: kind, blocked_on: on, blocked_reason: reason });
  });

  const [hash, metricsHash] = ["a".repeat(32), "b".repeat(32)];
  it.each([
    ["never pulled", null, [null, null, 0, null]],
    ["pulled", `${hash}${metricsHash}`, [hash, metricsHash, 0, null]],
    ["not merged yet", `!${hash}${metricsHash}`, [hash, metricsHash, 1, null]],
    ["lost", "gone", [null, null, 0, 7]],
  ])("a mirrored run that was %s", (_, stored, expected) => {
    const db = migrated("0003_blocked_kinds.sql", [
      `insert into mlflow_runs (mlflow_run_id, mlflow_experiment_id, status, lifecycle_stage, synced_at, hash)
       values ('r', 'e', 'RUNNING', 'active', 7, ${text(stored)})`,
    ]);
    const row = db.prepare("select hash, metrics_hash, unmerged, gone_at from mlflow_runs").get();
    expect(Object.values({ ...row })).toEqual(expected);
  });

  it("the journal: every event at its place, and the next one after all of them", () => {
    const event = (stream: number, id: string, facts: string | null) =>
      `insert into events (stream_id, event_id, type, hash, occurred_at, accepted_at, correlation_id, facts, points, repeats)
       values (${stream}, '${id}', 'ml.run.metric', 'h${id}', 1, 2, 'c', ${text(facts)}, 3, 4)`;
    const db = migrated("0009_events.sql", [
      ...Array.from({ length: 20 }, (_, n) => event(n % 9, `e${n}`, n % 2 ? null : `{"n":${n}}`)),
      event(3, "gone", null),
      "delete from events where event_id = 'gone'",
    ]);
    const rows = db.prepare("select * from events order by seq").all();
    expect(
      rows.map((row) => [
        row.stream_id,
        row.seq,
        row.event_id,
        row.body_hash,
        row.facts,
        row.points,
        row.repeats,
      ]),
    ).toEqual(
      Array.from({ length: 20 }, (_, n) => [
        n % 9,
        n + 1,
        `e${n}`,
        `he${n}`,
        n % 2 ? null : `{"n":${n}}`,
        3,
        4,
      ]),
    );
    expect({ ...db.prepare("select value from tallies where name = 'journal.seq'").get() }).toEqual({
      value: 21,
    });
    // As an older version writes: no constraint of the data's is what it hears.
    expect(() => db.exec(event(1, "late", null))).toThrow(/has no column/);
  });

  it("metric points: every one once in its place, to the last bit, and nothing above what its chunk says", () => {
    const values = [
      0.1 + 0.2,
      0.1,
      -1 / 3,
      1e-320,
      5e-324,
      2.2250738585072014e-308,
      1.7976931348623157e308,
      1e21,
      2 ** 53 - 1,
      0,
      1,
      -7,
      123456789.12345678,
      "NaN",
      "Infinity",
      "-Infinity",
    ];
    const given = Array.from({ length: 9_000 }, (_, i) => ({
      stream_id: 1 + (i % 2),
      seq: 1_000 + Math.floor(i / 3),
      n: i % 5 === 4 ? 1_000_000 + (i % 3) : i % 3,
      key: ["loss", 'a "quoted" \\ key', "größe"][i % 3] ?? "",
      step: i < 5_000 ? i : i - 3_000,
      timestamp: i % 100 === 99 ? 2 ** 53 - 1 - i : 1_700_000_000_000 + i,
      value: i < 2_000 ? (values[i % values.length] ?? 0) : Math.sin(i) * 10 ** ((i % 40) - 20),
    }));
    const db = new DatabaseSync(":memory:");
    apply(db, names.slice(0, names.indexOf("0025_points_in_chunks.sql")));
    const insert = db.prepare(
      "insert into metric_points (stream_id, seq, n, key, step, timestamp, value) values (?, ?, ?, ?, ?, ?, ?)",
    );
    // Whole numbers are stored as such where they came as such.
    for (const [i, { value, ...place }] of given.entries())
      insert.run(...Object.values(place), i % 2 === 0 && Number.isSafeInteger(value) ? BigInt(value) : value);
    apply(db, ["0025_points_in_chunks.sql"]);

    const chunks = z
      .array(chunkRow)
      .parse(db.prepare("select * from metric_chunks order by stream_id, key, seq, n").all());
    const place = (p: { stream_id: number; seq: number; n: number }) =>
      p.stream_id * 1e12 + p.seq * 1e7 + p.n;
    const found = chunks.flatMap(({ stream_id, key, points }) =>
      points.map(([seq, n, step, timestamp, value]) => ({ stream_id, seq, n, key, step, timestamp, value })),
    );
    expect(found.sort((a, b) => place(a) - place(b))).toEqual(given.sort((a, b) => place(a) - place(b)));
    for (const ofKey of Map.groupBy(chunks, ({ stream_id, key }) => `${stream_id} ${key}`).values()) {
      const soFar: { step: number; timestamp: number }[] = [];
      for (const { seq, n, points, ...chunk } of ofKey) {
        soFar.push(...points.map(([, , step, timestamp]) => ({ step, timestamp })));
        const steps = points.map(([, , step]) => step);
        expect(points.at(-1)?.slice(0, 2)).toEqual([seq, n]);
        expect(chunk).toMatchObject({
          first_seq: points[0]?.[0],
          min_step: Math.min(...steps),
          max_step: Math.max(...steps),
          top: Math.max(...soFar.map((p) => p.step)),
          latest: Math.max(...soFar.map((p) => p.timestamp)),
        });
        expect(Math.floor(seq / 1_024)).toBe(Math.floor(chunk.first_seq / 1_024));
      }
    }
    expect(() => db.exec("select 1 from metric_points")).toThrow(/no such table/);
  });
});
