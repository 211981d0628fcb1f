import { expect, test } from "vitest";
import { checkEvent } from "../../src/domain/events.ts";
import { parseJson } from "../../src/domain/json.ts";

const start = (fields: string) =>
  checkEvent(
    parseJson(`{"event":"ml.trial.start","model_run_id":"m","trial_id":"t","spectral_norm":true,${fields}}`),
  );

test.each([
  ['"parameters":{"__proto__":1}', "parameters", "must not hold the name __proto__"],
  ['"parameters":{"a":"x\\u0000y"}', "parameters.a", "must be well-formed text without NUL characters"],
  ['"parameters":{"a":{"b":"\\ud800"}}', "parameters.a.b", "must be well-formed text without NUL characters"],
  ['"parameters":{"a%":1}', "parameters.a%", "has a name that may only contain"],
])("%s is refused at %s", (fields, field, rule) => {
  expect(start(fields)).toMatchObject({
    ok: false,
    rejection: { status: 422, problems: [{ field, rule: expect.stringContaining(rule) }] },
  });
});

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
        tags: { "metadata.note": "a�b", "metadata.deep.x": "[1,2]" },
        fields: { metadata: { note: "a\0b" } },
      },
      warnings: [expect.stringContaining("metadata.bad key! is kept but not sent as a tag")],
    },
  });
});
