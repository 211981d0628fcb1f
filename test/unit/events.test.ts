import { expect, test } from "vitest";
import { checkEvent as checkAt } from "../../src/domain/events.ts";
import { parseJson } from "../../src/domain/json.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const checkEvent = (body: unknown) => checkAt(body, NOW);

const start = (fields: string) =>
  checkEvent(
    parseJson(`{"event":"ml.trial.start","model_run_id":"m","trial_id":"t","spectral_norm":true,${fields}}`),
  );

test("a metric named like a method of objects is a metric like any other", () => {
  const checked = checkEvent({
    event: "ml.run.metric",
    model_run_id: "m",
    trial_id: "t",
    metric_name: "constructor",
    metric_value: 1,
    metrics: { toString: 2 },
  });
  expect(checked).toMatchObject({
    ok: true,
    event: { points: [{ key: "toString" }, { key: "constructor", value: 1 }] },
  });
});

test("metadata is never refused: what MLflow's database cannot hold is replaced in the tag and kept whole", () => {
  const checked = start('"metadata":{"note":"a\\u0000b","bad key!":1,"deep":{"x":[1,2]}}');
  expect(checked).toMatchObject({
    ok: true,
    event: {
      facts: {
        tags: { "metadata.note": "a\ufffdb", "metadata.deep.x": "[1,2]" },
        fields: { metadata: { note: "a\0b" } },
      },
      warnings: [
        { field: "metadata.note", rule: expect.stringContaining("NUL"), action: "converted" },
        { field: "metadata.bad key!", value: "1", action: "not_sent" },
      ],
    },
  });
});

test.each([
  ["ml.run.start", { requested_trials: 1, search_space_version: 1 }],
  ["ml.run.stop", { state: "completed", completed_trials: 1 }],
  ["ml.trial.start", { trial_id: "t", spectral_norm: true }],
  ["ml.trial.complete", { trial_id: "t", spectral_norm: true, metrics: {} }],
  ["ml.trial.failed", { trial_id: "t", error_message: "NaN" }],
  ["ml.trial.skipped", { trial_id: "t" }],
  ["ml.trial.cancelled", { trial_id: "t" }],
])("%s may carry a description and tags of its own", (event, fields) => {
  const said = { description: "# The one\n", tags: { team: "vision", seed: 7, kept: false, "a/b:c": "" } };
  expect(checkEvent({ event, model_run_id: "m", ...fields, ...said })).toMatchObject({
    ok: true,
    event: {
      facts: {
        tags: { "mlflow.note.content": "# The one\n", team: "vision", seed: "7", kept: "false", "a/b:c": "" },
      },
      warnings: [],
    },
  });
});

test("a trainer's tag does not take the place of a field of its own", () => {
  expect(start('"tags":{"spectral_norm":"no","mlflow.note.content":"old"},"description":""')).toMatchObject({
    ok: true,
    event: { facts: { tags: { spectral_norm: "true", "mlflow.note.content": "" } } },
  });
});
