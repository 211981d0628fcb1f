import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";

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
});
