import { toRecord } from "../domain/pairs.ts";
import { TRIAL_STATUS } from "../domain/run-register.ts";
import type { Facts } from "../domain/types.ts";
import type { Run } from "../mlflow/types.ts";
import type { Deps } from "../relay/deps.ts";
import { remembered } from "../remembered.ts";
import { reviveGhost } from "../store/gateway/ghosts.ts";
import type { NewRun } from "../store/gateway/keep.ts";
import { type KnownRun, runById } from "../store/gateway/runs.ts";
import { gatewayEvent, type Owner } from "./event.ts";
import { experimentByNameOrMade, ownExperiment } from "./experiments.ts";
import { type How, keepOrRefuse, unavailable } from "./keep.ts";
import { lookUpRun, ownRun } from "./lookup.ts";
import { inPieces } from "./pieces.ts";
import { placeBelow } from "./place-below.ts";
import { Refusal } from "./refusal.ts";
import { saidInput } from "./said-input.ts";
import { showRun } from "./shown-run.ts";
import { theirInputs } from "./their-inputs.ts";

/**
 * The run of this id, the relay's or MLflow's, ready to be written to. A trial of the event API, and a run that MLflow had
 * first, is taken up by its first write here.
 * @throws Refusal RESOURCE_DOES_NOT_EXIST; TEMPORARILY_UNAVAILABLE where only MLflow could know it and is away: a client
 *   that is told that its run does not exist may start another
 */
export async function runForWrite(deps: Deps, asked: string): Promise<KnownRun> {
  const run = await runById(deps.db, asked);
  if (run) return ready(deps, run);
  const found = await lookUpRun(deps, asked);
  if (found.kind !== "found") throw found.kind === "none" ? noSuchRun(asked) : notKnownNow(asked);
  const own = await ownRun(deps, found.value);
  return own ? ready(deps, own) : adopt(deps, found.value);
}

async function ready(deps: Deps, run: KnownRun): Promise<KnownRun> {
  if (!run.isGateways) return takeUp(deps, run);
  return run.isBuried ? revived(deps, run) : run;
}

/** A run that was taken for one whose maker never heard of it. */
async function revived(deps: Deps, run: KnownRun): Promise<KnownRun> {
  await reviveGhost(deps.db, run.streamId, deps.now());
  return again(deps, run.key);
}

/** What never changes of a run: whose journal it is, and the id that was given first. */
export type RunRef = Owner & Pick<KnownRun, "runId">;

/** Runs that this isolate has written to, by the id that was asked for. Their streams are never deleted. */
const known = remembered(() => new Map<string, RunRef>());
const MAX_KNOWN = 20_000;

/**
 * A write that looks at nothing else of the run: where it may not be, the journal says so. A run that was not written to
 * is looked up anew the next time, whatever became of it.
 */
export async function toRun(deps: Deps, asked: string, write: (run: RunRef) => Promise<void>): Promise<void> {
  const run = known.value.get(asked) ?? (await runForWrite(deps, asked));
  try {
    await write(run);
  } catch (error) {
    known.value.delete(asked);
    throw error;
  }
  if (known.value.size >= MAX_KNOWN) known.value.clear();
  const { key, kind, modelRunId, trialId, runId } = run;
  known.value.set(asked, { key, kind, modelRunId, trialId, runId });
}

export function noSuchRun(id: string): Refusal {
  return new Refusal("RESOURCE_DOES_NOT_EXIST", `Run with id=${id} not found`);
}

export function notKnownNow(id: string): Refusal {
  return unavailable(`Run ${id} is not known here, and MLflow cannot be asked for it just now.`);
}

/** A trial or model run of the event API. */
async function takeUp(deps: Deps, run: KnownRun): Promise<KnownRun> {
  const shown = await showRun(deps, run);
  const experiment =
    run.experimentId === null
      ? await experimentByNameOrMade(deps, run.experimentName ?? deps.config.defaultExperiment)
      : await ownExperiment(deps, run.experimentId);
  // Its status and end are those of its events, of which another may come in just now.
  const facts: Facts = { run: { startTime: shown.startTime } };
  await take(deps, run, [facts], {
    runId: run.runId,
    experimentId: experiment.id,
    artifactUri: shown.artifactUri,
    lifecycle: run.lifecycle,
    taken: null,
  });
  return again(deps, run.key);
}

/** A run that MLflow had first: its id stays, and what it has is what both sides agree on. */
async function adopt(deps: Deps, { info, data, ...more }: Run): Promise<KnownRun> {
  const experiment = await ownExperiment(deps, info.experimentId);
  const ends = TRIAL_STATUS[info.status];
  const tags = toRecord(data.tags);
  const params = toRecord(data.params);
  const { datasets, ties } = await theirInputs(deps, more);
  const [first, ...others] = inPieces([
    ...data.tags.map(({ key, value }) => ({ tags: { [key]: value } })),
    ...data.params.map(({ key, value }) => ({ params: { [key]: value } })),
  ]);
  const facts: Facts = {
    announces: true,
    starts: true,
    ...(ends === null
      ? {}
      : { ends, resumes: true, ...(info.endTime === null ? {} : { endedAt: info.endTime }) }),
    run: {
      status: info.status,
      startTime: info.startTime ?? 0,
      ...(info.endTime === null ? {} : { endTime: info.endTime }),
    },
    fields: {
      mlflow_run_id: info.runId,
      ...(info.runName === null ? {} : { run_name: info.runName }),
      ...(info.userId === null ? {} : { user: info.userId }),
    },
    ...first,
  };
  const owner = { key: info.runId, kind: "trial" as const, modelRunId: null, trialId: info.runId };
  const run = {
    runId: info.runId,
    experimentId: experiment.id,
    artifactUri: info.artifactUri ?? placeBelow(experiment.artifactLocation, `${info.runId}/artifacts`),
    lifecycle: info.lifecycleStage,
    taken: { tags, params },
  };
  await take(deps, owner, [facts, ...others], run, {
    inputs: await Promise.all(datasets.map((dataset) => saidInput(dataset, true))),
    models: { ties: ties.map((tie) => ({ ...tie, isTheirs: true })), points: [] },
  });
  return again(deps, info.runId);
}

/** Another request may have been first; then its word stands, and this one adds nothing. */
async function take(
  deps: Deps,
  owner: Owner,
  [facts, ...others]: readonly [Facts, ...Facts[]],
  run: Omit<NewRun, "createdAt" | "createHash" | "touchedAt">,
  has: Pick<How, "inputs" | "models"> = {},
): Promise<void> {
  const event = (said: Facts, id: string) => ({
    ...gatewayEvent(deps, owner, "mlflow.run.adopt", said),
    id,
    hash: id,
  });
  const more = others.map((said, n) => event(said, `mlflow.run.adopt.${n + 1}`));
  const now = deps.now();
  await keepOrRefuse(deps, [event(facts, "mlflow.run.adopt"), ...more], {
    runId: run.runId,
    create: { ...run, createdAt: now, createHash: null, touchedAt: now },
    // What is taken over is there already: nothing forbids it.
    lifecycle: run.lifecycle,
    ...has,
  });
}

async function again(deps: Deps, key: string): Promise<KnownRun> {
  const run = await runById(deps.db, key);
  if (!run) throw notKnownNow(key);
  return run;
}
