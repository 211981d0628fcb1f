import { expect, test } from "vitest";
import { bodyOf, type Field } from "../../../src/dashboard/client/lib/action-body.ts";
import { linesOf, refusalOf } from "../../../src/dashboard/client/lib/answer-lines.ts";

const field = (name: string, value: string, as: Field["as"] = "text"): Field => ({ name, value, as });

test.each([
  ["nothing", [], {}],
  ["what was not filled in is left out", [field("a", " "), field("b", "", "number")], {}],
  ["text stays text", [field("model_run_id", "12"), field("note", "{}")], { model_run_id: "12", note: "{}" }],
  ["numbers", [field("from_step", "-3", "number")], { from_step: -3 }],
  ["a list of one", [field("scopes", "read", "list")], { scopes: ["read"] }],
  [
    "a list of two",
    [field("scopes", "read", "list"), field("scopes", "admin", "list")],
    { scopes: ["read", "admin"] },
  ],
  ["JSON", [field("item", '{"key": "a", "value": 1}', "json")], { item: { key: "a", value: 1 } }],
  [
    "fields go into what is JSON, whichever comes first",
    [field("filter.kind", "tag"), field("filter", "{}", "json")],
    { filter: { kind: "tag" } },
  ],
  ["an empty filter is one all the same", [field("filter", "{}", "json")], { filter: {} }],
] as const)("%s", (_, fields, body) => {
  expect(bodyOf(fields)).toEqual(body);
});

test("what is to be JSON and is not is said so", () => {
  expect(() => bodyOf([field("item", "{", "json")])).toThrow(SyntaxError);
});

test.each([
  [
    "changes",
    { changes: [{ change: "restore_run", run_id: "ab" }, { change: "deliver" }] },
    ["Restore the run ab in MLflow", "Deliver what waits"],
  ],
  ["a change of a relay to come", { changes: [{ change: "something_new" }] }, ["something_new"]],
  [
    "conflicts",
    {
      done: [{ kind: "name", field: "run_name", trial_id: "t1" }],
      not_done: [{ kind: "param", field: "lr", trial_id: null, model_run_id: "m", reason: "No." }],
      left: 2,
    },
    ["name run_name of t1", "Not param lr of m: No.", "2 are left for another time"],
  ],
  [
    "letters",
    {
      action: "replay",
      count: 1,
      matching: 3,
      sample: [{ kind: "metric", item: { key: "a" }, reason: "bad" }],
    },
    ["replay 1 of 3", 'metric {"key":"a"}: bad'],
  ],
  ["a token", { token: "tr_x" }, ["The token, which is shown only here:", "tr_x"]],
  [
    "a job",
    { message: "The trial will be brought up to date in MLflow" },
    ["The trial will be brought up to date in MLflow"],
  ],
  [
    "a probe",
    { reads: "failed", writes: "not tried", error: "refused" },
    ["MLflow: reads failed, writes not tried", "refused"],
  ],
  ["anything else", { id: 1 }, ["Done."]],
  ["nothing", null, []],
])("says what was done: %s", (_, answer, lines) => {
  expect(linesOf(answer)).toEqual(lines);
});

test("of a long list the first few are said, and how many more", () => {
  const changes = Array.from({ length: 40 }, () => ({ change: "deliver" }));
  const lines = linesOf({ changes });
  expect([lines.length, lines.at(-1)]).toEqual([13, "and 28 more"]);
});

test.each([
  [
    { title: "Invalid", detail: "all", errors: [{ field: "item.step", rule: "must be whole" }] },
    ["item.step must be whole"],
  ],
  [{ title: "Conflict", detail: "It is over." }, ["It is over."]],
  [{ title: "Conflict" }, ["Conflict"]],
  [null, ["The relay gave no reason."]],
])("says why not: %j", (problem, lines) => {
  expect(refusalOf(problem)).toEqual(lines);
});
