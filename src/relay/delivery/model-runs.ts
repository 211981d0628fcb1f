import { fromWire } from "../../domain/values.ts";
import type { Failure } from "../../mlflow/failure.ts";
import { isAway } from "../../mlflow/failure.ts";
import { bury } from "../../store/delivery/dead-letters.ts";
import {
  markPoints,
  markTie,
  type PointBehind,
  pointsBehind,
  runsWaitedFor,
  type TieBehind,
  tiesBehind,
} from "../../store/gateway/model-ties-behind.ts";
import type { Deps } from "../deps.ts";
import { sendPokes } from "../queues.ts";
import type { Part } from "./bringing.ts";
import type { PlacedModel } from "./model-place.ts";

/** What one turn brings of each; a repeat of more points than a hundred takes old servers long. */
const MAX_TIES = 20;
const MAX_POINTS = 100;
const MAX_HELPINGS = 10;
/** How soon to look again for runs that are on their way. */
const RUNS_MS = 2_000;

type Model = Pick<PlacedModel, "id" | "mlflowId">;

/** Tells MLflow which runs a model was given to or made by, and which of their points are its own as well. */
export async function bringRuns(deps: Deps, model: Model): Promise<Part> {
  const ties = await tiesBehind(deps.db, model.id, MAX_TIES);
  for (const tie of ties) {
    if (tie.mlflowRunId === null) return waitFor(deps, [tie.streamId]);
    const told = await tell(deps, model, tie, tie.mlflowRunId);
    if (!told.ok) return told;
    await markTie(deps.db, model.id, tie);
  }
  if (ties.length === MAX_TIES) return MORE;
  for (let helping = 0; helping < MAX_HELPINGS; helping++) {
    const points = await pointsBehind(deps.db, model.id, MAX_POINTS);
    if (points.length === 0) return rest(deps, model);
    const sent = await send(deps, model, points);
    if (!sent.ok) return sent;
    await markPoints(deps.db, points);
  }
  return MORE;
}

const MORE: Part = { ok: false, failure: null, ms: 0, error: "there is more to come" };

async function rest(deps: Deps, { id }: Model): Promise<Part> {
  const streams = await runsWaitedFor(deps.db, id, MAX_TIES);
  return streams.length === 0 ? { ok: true, value: undefined } : waitFor(deps, streams);
}

async function waitFor(deps: Deps, streams: readonly number[]): Promise<Part> {
  await sendPokes(
    deps,
    streams.map((streamId) => ({ streamId, urgent: true })),
  );
  return { ok: false, failure: null, ms: RUNS_MS, error: "a run of it is not in MLflow yet" };
}

async function tell(
  { writes }: Deps,
  { mlflowId: modelId }: Model,
  { kind, step }: TieBehind,
  runId: string,
): Promise<Part> {
  const told =
    kind === "input"
      ? await writes.logInput({ runId, input: { model_id: modelId } })
      : await writes.logOutput({ runId, modelId, step });
  return told.ok || told.failure.kind === "duplicate" ? { ok: true, value: undefined } : told;
}

/** Points all of one run. Where MLflow refuses one of them the others go on. */
async function send(deps: Deps, model: Model, points: readonly PointBehind[]): Promise<Part> {
  const [first] = points;
  if (!first) return { ok: true, value: undefined };
  const sent = await deps.writes.logModelMetrics(
    first.mlflowRunId,
    points.map((point) => metricOf(point, model.mlflowId)),
  );
  if (sent.ok) return sent;
  const { failure } = sent;
  if (isAway(failure) || failure.kind === "gone") return sent;
  if (points.length === 1) return setAside(deps, first, failure);
  for (const point of points) {
    const alone = await send(deps, model, [point]);
    if (!alone.ok) return alone;
  }
  return { ok: true, value: undefined };
}

/** The model has a point there already, or MLflow will never take this one. */
async function setAside(deps: Deps, point: PointBehind, failure: Failure): Promise<Part> {
  if (failure.kind !== "duplicate") {
    const { streamId, mlflowRunId: _, ...item } = point;
    await bury(deps.db, {
      streamId,
      kind: "metric",
      item: JSON.stringify(item),
      reason: `${failure.code ?? failure.status ?? "MLflow"}: ${failure.message}`,
      mlflowStatus: failure.status,
      mlflowCode: failure.code,
      createdAt: deps.now(),
    });
  }
  return { ok: true, value: undefined };
}

function metricOf({ key, value, timestamp, step, datasetName, datasetDigest }: PointBehind, modelId: string) {
  return {
    key,
    value: fromWire(value),
    timestamp,
    step,
    modelId,
    ...(datasetName === null ? {} : { datasetName }),
    ...(datasetDigest === null ? {} : { datasetDigest }),
  };
}
