import { Hono } from "hono";
import { toWire } from "../../domain/values.ts";
import type { RunShown } from "../../gateway/answers/run.ts";
import { getRun } from "../../gateway/get-run.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { experimentById } from "../../store/gateway/experiments.ts";
import { type KnownRun, runById } from "../../store/gateway/runs.ts";
import { iso } from "../../store/listing/common.ts";
import { page } from "../page.tsx";
import { Badge } from "../parts/badge.tsx";
import { Crumbs, Facts, Id, Texts } from "../parts/facts.tsx";
import { MlflowAnchor, mlflowAddress } from "../parts/mlflow-anchor.tsx";
import { shortNumber } from "../parts/number.ts";
import { RunOwner } from "../parts/run-owner.tsx";
import { duration, Time } from "../parts/time.tsx";
import { lookedUp } from "../refused.ts";

/** `/runs/:id`, by the relay's id or MLflow's: a run as MLflow's clients see it, whoever made it. */
export const runPage = new Hono<AppEnv>({ strict: false });

runPage.get("/runs/:id", page("read"), async (c) => {
  const { relay } = c.var;
  const id = c.req.param("id");
  const [run, known] = await Promise.all([lookedUp(getRun(relay, id)), runById(relay.db, id)]);
  const experiment = await experimentById(relay.db, run.experimentId);
  const title = run.runName || run.runId;
  const mlflowRunId = known ? known.mlflowRunId : run.runId;
  // One that the relay has never seen is MLflow's, by MLflow's id.
  const mlflowExperimentId = experiment ? experiment.mlflowExperimentId : run.experimentId;
  const there = mlflowRunId === null ? null : mlflowAddress(relay, mlflowExperimentId, mlflowRunId);
  return c.render(
    <>
      <Crumbs
        of={[
          ["Experiments", "/experiments"],
          [experiment?.name ?? run.experimentId, `/experiments/${encodeURIComponent(run.experimentId)}`],
        ]}
      />
      <div data-live>
        <div class="heading">
          <h1>{title}</h1>
          <Badge word={run.lifecycleStage === "deleted" ? "deleted" : run.status} />
          <MlflowAnchor to={there} />
        </div>
        <div class="columns">
          <section class="panel">
            <h2>Run</h2>
            <Facts rows={factsOf(run, known)} />
          </section>
          <Metrics run={run} />
          <Texts title="Parameters" pairs={run.params} />
          <Inputs inputs={run.inputs ?? []} />
          <Texts title="Tags" pairs={run.tags} />
        </div>
      </div>
      <section aria-labelledby="curves-title">
        <h2 id="curves-title">Curves</h2>
        <div
          id="curves"
          class="curves"
          {...(known?.kind === "trial" ? { "data-trials": known.key } : { "data-runs": mlflowRunId ?? "" })}
        />
      </section>
    </>,
    { title, place: "/experiments", scripts: ["curves"] },
  );
});

function factsOf(run: RunShown, known: KnownRun | null) {
  const { trialId, key, modelRunId } = known ?? {};
  const trial =
    known?.kind === "trial"
      ? { id: key ?? "", trial_id: trialId ?? null, model_run_id: modelRunId ?? null }
      : null;
  return [
    ["Id", <Id text={run.runId} />],
    ["In MLflow", <Id text={known ? known.mlflowRunId : run.runId} />],
    ["Belongs to", <RunOwner trial={trial} modelRun={modelRunId ?? null} />],
    ["By", run.userId || null],
    ["Started", <Time at={run.startTime > 0 ? iso(run.startTime) : null} />],
    ["Ended", <Time at={run.endTime ? iso(run.endTime) : null} />],
    ["Took", run.startTime > 0 && run.endTime ? duration(run.endTime - run.startTime) : null],
    ["Artifacts", <code>{run.artifactUri}</code>],
  ] as const;
}

/** The latest value of each. */
function Metrics({ run }: { run: RunShown }) {
  if (run.metrics.length === 0) return null;
  return (
    <section class="panel">
      <h2>
        Metrics <small>{run.metrics.length}</small>
      </h2>
      <dl class="facts">
        {run.metrics
          .toSorted((a, b) => (a.key < b.key ? -1 : 1))
          .map(({ key, value, step }) => (
            <>
              <dt class="mono">{key}</dt>
              <dd title={String(value)}>
                {shortNumber(toWire(value))} <small>at step {step}</small>
              </dd>
            </>
          ))}
      </dl>
    </section>
  );
}

/** Data sets and models, as they were said. */
function Inputs({ inputs }: { inputs: readonly object[] }) {
  if (inputs.length === 0) return null;
  return (
    <section class="panel">
      <h2>
        Inputs <small>{inputs.length}</small>
      </h2>
      {inputs.map((input) => (
        <Facts rows={Object.entries(leavesOf(input))} />
      ))}
    </section>
  );
}

/** The texts and numbers in it, by their paths. */
function leavesOf(value: object, path = ""): Record<string, string> {
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
      typeof inner === "object" && inner !== null
        ? Object.entries(leavesOf(inner, `${path}${name}.`))
        : [[`${path}${name}`, String(inner)]],
    ),
  );
}
