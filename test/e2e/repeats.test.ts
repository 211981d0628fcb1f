import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded, shuffled } from "../../scripts/demo/random.ts";
import type { Snapshot } from "../lib/mlflow-read.ts";
import { randomStudy } from "../lib/random-study.ts";
import type { Event } from "../lib/relay.ts";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterAll(() => lab?.close());

/** What two model runs of the same events must have in common: all but ids of runs, and the relay's own tags. */
function comparable(runs: Snapshot[], modelRunId: string) {
  const trialOf = ({ tags }: Snapshot) => tags.thunderline_trial_id ?? "";
  const plain = runs
    .toSorted((a, b) => (trialOf(a) < trialOf(b) ? -1 : 1))
    .map(({ runId, tags, ...run }) => {
      const shown = Object.entries(tags).filter(([key]) => !key.startsWith("relay."));
      return { ...run, tags: Object.fromEntries(shown) };
    });
  const text = runs.reduce(
    (json, run) => json.replaceAll(run.runId, `run of ${trialOf(run)}`),
    JSON.stringify(plain),
  );
  return JSON.parse(text.replaceAll(modelRunId, "M"));
}

/** Groups of random sizes. */
function randomBatches(random: () => number, events: Event[]): Event[][] {
  const batches: Event[][] = [];
  for (let from = 0; from < events.length; ) {
    const size = 1 + Math.floor(random() ** 3 * 60);
    batches.push(events.slice(from, from + size));
    from += size;
  }
  return batches;
}

/**
 * Any order but for ends and resumes, whose places stay filled in the order in which they were said: a resume comes
 * after every end that was accepted before it.
 */
function reordered(random: () => number, events: Event[]): Event[] {
  const mixed = shuffled(random, events);
  const said = events.filter(isOfLife).values();
  return mixed.map((event) => (isOfLife(event) ? (said.next().value ?? event) : event));
}

function isOfLife({ event, resume }: Event): boolean {
  return resume === true || /^ml\.trial\.(complete|failed|skipped|cancelled)$/.test(event);
}

test.each([1, 2, 3, 4])(
  "the same events twice, in any order, make the same MLflow (seed %i)",
  async (seed) => {
    const [once, twice] = [`once-${seed}`, `twice-${seed}`];
    await lab.relay.send(randomStudy(seed, once));

    const random = seeded(seed);
    const events = randomStudy(seed, twice);
    for (const batch of randomBatches(random, reordered(random, [...events, ...events]))) {
      if (random() < 0.4) await lab.relay.sendLines(batch);
      else await lab.relay.send(batch.length === 1 && batch[0] ? batch[0] : batch);
    }

    await Promise.all([lab.relay.delivered(once), lab.relay.delivered(twice)]);
    const expected = comparable(await lab.mlflow.runs(once), once);
    expect(expected).toHaveLength(5);
    expect(comparable(await lab.mlflow.runs(twice), twice)).toEqual(expected);
    for (const id of [once, twice]) {
      expect(lab.relay.store.conflicts(id)).toEqual([]);
      expect(lab.relay.store.deadLetters(id)).toEqual([]);
    }
  },
);

test("two identical requests at the same time are one", async () => {
  const events = randomStudy(5, "at-once");
  const answers = await Promise.all([lab.relay.send(events), lab.relay.send(events)]);
  const total = (field: string) => answers.reduce((sum, { body }) => sum + Number(body[field]), 0);
  expect(total("accepted")).toBe(events.length);
  expect(total("duplicates")).toBe(events.length);

  await lab.relay.send(randomStudy(5, "alone"));
  await Promise.all([lab.relay.delivered("at-once"), lab.relay.delivered("alone")]);
  expect(comparable(await lab.mlflow.runs("at-once"), "at-once")).toEqual(
    comparable(await lab.mlflow.runs("alone"), "alone"),
  );
});

test("a second time, after delivery, changes nothing in MLflow", async () => {
  const events = randomStudy(6, "again");
  await lab.relay.send(events);
  await lab.relay.delivered("again");
  // The trials are counted on their model run's parent run.
  await lab.relay.cron();
  await lab.relay.delivered("again");
  const before = await lab.mlflow.runs("again");
  const calls = lab.proxy.calls.length;
  const { headers } = await lab.relay.send(events);
  expect(headers.get("idempotent-replayed")).toBe("true");
  await lab.relay.cron();
  await lab.relay.delivered("again");
  expect(await lab.mlflow.runs("again")).toEqual(before);
  const reads = ["runs/search", "runs/get"];
  expect(lab.proxy.calls.slice(calls).filter(({ path }) => !reads.includes(path))).toEqual([]);
});
