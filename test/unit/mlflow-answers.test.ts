import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createMlflowClient, type MlflowClient } from "../../src/mlflow/client.ts";
import type { Result } from "../../src/mlflow/failure.ts";

const RUN = "a".repeat(32);
const OTHER = "b".repeat(32);
const THIRD = "c".repeat(32);

const info = (run_id: string, experiment_id = "1") => ({
  run_id,
  experiment_id,
  status: "RUNNING",
  lifecycle_stage: "active",
});
const tags = (nonce: string) => ({ tags: [{ key: "relay.nonce", value: nonce }] });
const experiment = (experiment_id: string, name: string) => ({
  experiment: { experiment_id, name, lifecycle_stage: "active" },
});

type Known = { write: boolean; call: (mlflow: MlflowClient) => Promise<Result<unknown>>; answers: object[] };

/** Every call, and what MLflow answers to it. */
const CALLS: Record<string, Known> = {
  createExperiment: {
    write: true,
    call: (mlflow) => mlflow.createExperiment({ name: "e" }),
    answers: [{ experiment_id: "1" }],
  },
  getExperiment: {
    write: false,
    call: (mlflow) => mlflow.getExperiment("1"),
    answers: [experiment("1", "e")],
  },
  getExperimentByName: {
    write: false,
    call: (mlflow) => mlflow.getExperimentByName("named"),
    answers: [experiment("7", "named"), experiment("7", "N\u00e1med ")],
  },
  searchExperiments: {
    write: false,
    call: (mlflow) => mlflow.searchExperiments({ maxResults: 1 }),
    answers: [{}, { experiments: [] }, { ...{ experiments: [] }, next_page_token: "x", more: 1 }],
  },
  updateExperiment: {
    write: true,
    call: (mlflow) => mlflow.updateExperiment({ experimentId: "1", newName: "f" }),
    answers: [{}],
  },
  restoreExperiment: { write: true, call: (mlflow) => mlflow.restoreExperiment("1"), answers: [{}] },
  createRun: {
    write: true,
    call: (mlflow) =>
      mlflow.createRun({ experimentId: "1", runName: "n", startTime: 1, tags: tags("mine").tags }),
    answers: [
      { run: { info: info(RUN), data: tags("mine") } },
      { run: { info: info(RUN), data: tags("mine"), more: 1 } },
    ],
  },
  getRun: {
    write: false,
    call: (mlflow) => mlflow.getRun(THIRD),
    answers: [{ run: { info: info(THIRD, "2"), data: tags("other") } }],
  },
  searchRuns: {
    write: false,
    call: (mlflow) => mlflow.searchRuns({ experimentIds: ["3"], maxResults: 1 }),
    answers: [{}, { runs: [{ info: info(OTHER, "3") }] }],
  },
  updateRun: {
    write: true,
    call: (mlflow) => mlflow.updateRun({ runId: RUN, status: "FINISHED" }),
    answers: [{ run_info: { ...info(RUN), more: 1 } }],
  },
  deleteRun: { write: true, call: (mlflow) => mlflow.deleteRun(RUN), answers: [{}] },
  restoreRun: { write: true, call: (mlflow) => mlflow.restoreRun(RUN), answers: [{}] },
  logBatch: {
    write: true,
    call: (mlflow) => mlflow.logBatch({ runId: RUN, metrics: [], params: [], tags: [] }),
    answers: [{}],
  },
  setTag: {
    write: true,
    call: (mlflow) => mlflow.setTag({ runId: RUN, key: "k", value: "v" }),
    answers: [{}],
  },
  deleteTag: { write: true, call: (mlflow) => mlflow.deleteTag({ runId: RUN, key: "k" }), answers: [{}] },
  getMetricHistory: {
    write: false,
    call: (mlflow) => mlflow.getMetricHistory({ runId: RUN, key: "loss" }),
    answers: [{}, { metrics: [{ key: "loss", value: 1, timestamp: 1, step: 1 }] }],
  },
  listArtifacts: {
    write: false,
    call: (mlflow) => mlflow.listArtifacts({ runId: RUN }),
    answers: [{ root_uri: "mlflow-artifacts:/1" }, { root_uri: "s3://x", files: [] }],
  },
};

/** Answers of MLflow's, about something else than what was asked. */
const MISTAKEN: object[] = [
  experiment("9", "another"),
  { run: { info: info(OTHER, "9"), data: tags("theirs") } },
  { run: { info: info(OTHER), data: tags("theirs") } },
  { run_info: info(OTHER) },
  { runs: [{ info: info(RUN, "9") }] },
  { metrics: [{ key: "acc", value: 1, timestamp: 1, step: 1 }] },
  { error: "upstream" },
  { status: "ok" },
];

const mlflowThat = (answer: (url: string) => Response) =>
  createMlflowClient(
    { trackingUri: "http://mlflow.test", auth: { kind: "none" }, extraHeaders: {}, timeoutMs: 1000 },
    { fetch: async (url) => answer(url), now: () => 0 },
  );

const keyOf = (answer: object) => JSON.stringify(answer);

describe.each(Object.entries(CALLS))("%s", (name, { write, call, answers }) => {
  test.each(answers.map((answer) => [keyOf(answer)]))("takes its own answer %s", async (text) => {
    expect(await call(mlflowThat(() => new Response(text)))).toMatchObject({ ok: true });
  });

  test("takes no other call's answer, nor one about something else", async () => {
    const own = new Set(answers.map(keyOf));
    const others = Object.entries(CALLS)
      .filter(([other]) => other !== name)
      .flatMap(([, known]) => known.answers);
    const strange = [...others, ...MISTAKEN].filter((answer) => !own.has(keyOf(answer)));
    for (const answer of strange) {
      const result = await call(mlflowThat(() => Response.json(answer)));
      expect(result, keyOf(answer)).toMatchObject({
        ok: false,
        failure: { kind: write ? "ambiguous" : "misconfigured", code: null },
      });
    }
  });

  test("takes nothing that is not JSON, and no status but 200", async () => {
    const odd = [
      new Response(""),
      new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } }),
      new Response("null"),
      new Response("[]"),
      new Response("{}{}"),
      new Response(keyOf(answers[0] ?? {}), { status: 202 }),
      new Response(null, { status: 204 }),
      new Response(keyOf(answers[0] ?? {}), { status: 302, headers: { location: "/login" } }),
    ];
    for (const response of odd) {
      const { ok, failure } = { failure: null, ...(await call(mlflowThat(() => response))) };
      expect([ok, failure?.kind]).toEqual([false, write ? "ambiguous" : "misconfigured"]);
    }
  });

  test("takes nothing for MLflow's word on the item that MLflow's handlers did not write", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 200, max: 599 }).filter((status) => status !== 413),
        fc.oneof(fc.string(), fc.json(), fc.constant("<h1>no</h1>")),
        async (status, text) => {
          const body = [204, 205, 304].includes(status) ? null : text;
          const result = await call(mlflowThat(() => new Response(body, { status })));
          if (result.ok) {
            // An empty answer is MLflow's own where there is nothing to give back.
            expect([status, JSON.stringify(JSON.parse(text))]).toEqual([200, "{}"]);
            return;
          }
          const away = write ? ["ambiguous", "transient", "misconfigured"] : ["transient", "misconfigured"];
          expect(away).toContain(result.failure.kind);
        },
      ),
      { examples: [[200, "{}"]] },
    ));
});
