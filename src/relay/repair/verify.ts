import { compareState, compareTexts, type ExpectedState, type ExpectedText } from "../../domain/compare.ts";
import type { Core } from "../../domain/core.ts";
import { isConfirmed, noPoints, type Report, textReport, withKey } from "../../domain/report.ts";
import { runStateOf } from "../../domain/run-state.ts";
import { sameMeaning } from "../../domain/values.ts";
import type { Failure, Result } from "../../mlflow/failure.ts";
import { tagEquals } from "../../mlflow/filter.ts";
import { MODEL_RUN_TAG, RUN_ID_TAG, statusTagOf, TRIAL_TAG } from "../../mlflow/tags.ts";
import type { Run, Tag } from "../../mlflow/types.ts";
import { streamRow } from "../../store/readback/expected.ts";
import { storeVerdict, type Verdict } from "../../store/readback/verdicts.ts";
import { readSentState, type SentState } from "../../store/stream/columns.ts";
import { readCore } from "../../store/stream/core-column.ts";
import { isLasting, reasonOf } from "../../store/stream/lasting.ts";
import type { StreamRow } from "../../store/stream/leases.ts";
import { accountFor } from "./account.ts";
import { compareKeys, type Opened, openRun, type ReadDeps } from "./read-back.ts";

export type Verification =
  | ({ kind: "checked" } & Verdict)
  /** MLflow has nothing of it, and need not have. */
  | { kind: "nothing delivered" }
  | { kind: "unreachable"; failure: Pick<Failure, "message"> }
  /** The relay cannot read what it holds of it itself. */
  | { kind: "unreadable"; reason: string };

const MAX_DOUBLES = 100;

/**
 * Reads MLflow back, compares it with the journal and keeps the verdict. It covers what was delivered when it began;
 * what is on its way is counted and not missed.
 */
export async function verifyStream(deps: ReadDeps, streamId: number): Promise<Verification> {
  try {
    return await verify(deps, streamId);
  } catch (error) {
    if (isLasting(error)) return { kind: "unreadable", reason: reasonOf(error) };
    throw error;
  }
}

async function verify(deps: ReadDeps, streamId: number): Promise<Verification> {
  const checkedAt = deps.now();
  const opened = await openRun(deps, streamId, null);
  if (opened.kind === "unreachable") return opened;
  if (opened.kind === "no run") return { kind: "nothing delivered" };
  if (opened.kind === "gone") {
    const { before, runId } = opened;
    return withVerdict(deps, streamId, { seq: before.deliveredSeq, checkedAt, report: goneReport(runId) });
  }
  let points = noPoints;
  for await (const compared of compareKeys(deps, opened, null)) {
    if (!compared.ok) return { kind: "unreachable", failure: compared.failure };
    points = withKey(points, compared.value.key, compared.value);
  }
  // Pruned here meanwhile: what is no longer in the journal is not extra, so begin anew.
  if ((await streamRow(deps.db, streamId))?.prunedAt !== opened.expected.stream.prunedAt)
    return verify(deps, streamId);
  const doubles = await doubleRuns(deps, opened.before);
  if (!doubles.ok) return { kind: "unreachable", failure: doubles.failure };
  const { params, tags } = compareRest(opened);
  const report: Report = {
    undelivered_events: opened.expected.undeliveredEvents,
    run: { id: opened.run.info.runId, state: opened.run.info.lifecycleStage },
    double_runs: doubles.value,
    points,
    params: textReport(params),
    tags: textReport(tags),
    state: stateDifferences(opened),
  };
  return withVerdict(deps, streamId, { seq: opened.upto, checkedAt, report });
}

async function withVerdict(
  deps: ReadDeps,
  streamId: number,
  found: Omit<Verdict, "verdict">,
): Promise<Verification> {
  const verdict = {
    ...found,
    verdict: isConfirmed(found.report) ? ("confirmed" as const) : ("differs" as const),
  };
  await storeVerdict(deps.db, streamId, verdict);
  return { kind: "checked", ...verdict };
}

/** Compares parameters and tags, those that name the trial in MLflow among them. */
export function compareRest({ before, upto, run, expected }: Opened) {
  const account = accountFor(expected, upto);
  const found = (pairs: readonly Tag[]) => new Map(pairs.map(({ key, value }) => [key, value]));
  return {
    params: compareTexts(expected.params, found(run.data.params), account.param, sameMeaning),
    tags: compareTexts(
      [...identityTags(before), ...expected.tags],
      found(run.data.tags),
      account.tag,
      (a, b) => a === b,
    ),
  };
}

function identityTags(stream: StreamRow): ExpectedText[] {
  const { modelRunId } = stream;
  const own = ownTag(stream);
  return [
    ...(own === null ? [] : [{ ...own, seq: 0 }]),
    ...(modelRunId === null ? [] : [{ key: MODEL_RUN_TAG, value: modelRunId, seq: 0 }]),
  ];
}

/** The tag that names a trial, or a run of an MLflow client's; null for a model run. */
function ownTag({ kind, key, trialId }: StreamRow): Tag | null {
  if (kind === "model_run") return null;
  return trialId === key ? { key: RUN_ID_TAG, value: key } : { key: TRIAL_TAG, value: trialId ?? "" };
}

/** What differs in the run's own state; null when it cannot be said, since events came meanwhile or are under way. */
export function stateDifferences(opened: Opened): ReturnType<typeof compareState> | null {
  const { before, run, expected } = opened;
  const sent = readSentState(expected.stream.sentState);
  const isStill =
    before.deliveredSeq >= before.lastSeq &&
    expected.stream.lastSeq === before.lastSeq &&
    expected.stream.sentState === before.sentState;
  return sent && isStill
    ? compareState(expectedState(readCore(expected.core), sent, opened), foundState(run))
    : null;
}

/** The state that delivery leaves. A trial that merely runs leaves the status that its adopted run has. */
function expectedState(core: Core, sent: SentState, opened: Opened): ExpectedState {
  const wanted = runStateOf(core);
  const rests = wanted.status === "RUNNING" && sent.status !== "RUNNING" && core.lifecycle.reset === null;
  const state = rests ? sent : { ...wanted, runName: wanted.runName ?? sent.runName };
  return { ...state, startTime: expectedStart(core, opened) };
}

/**
 * MLflow cannot move a run's start: one that was right when the run was made stays, though something from before it
 * came later. The start of the trainer's own run is not the relay's to judge. Null: any will do.
 */
function expectedStart({ startedAt }: Core, { before, run, expected }: Opened): number | null {
  if (before.adopted || startedAt === null || expected.stream.prunedAt !== null) return null;
  const isFromThen = (run.info.startTime ?? 0) > startedAt && expected.isStartSaid;
  return isFromThen ? null : startedAt;
}

/** A run's own state as MLflow shows it. */
export function foundState(run: Run) {
  const { status, startTime, endTime, runName } = run.info;
  return { status, startTime, endTime, runName: runName ?? "", statusTag: statusTagOf(run) };
}

/** Other runs of the same trial or model run, by the tags that every one of them carries; null: not to be searched. */
async function doubleRuns(deps: ReadDeps, stream: StreamRow): Promise<Result<string[] | null>> {
  const { modelRunId, createNonce, mlflowExperimentId, mlflowRunId } = stream;
  const own = ownTag(stream);
  // A model run's trials carry its id too, so that its own run is known only by the nonce.
  const clauses =
    own === null
      ? [tagEquals("relay.nonce", createNonce ?? "")]
      : [
          tagEquals(own.key, own.value),
          ...(modelRunId === null ? [] : [tagEquals(MODEL_RUN_TAG, modelRunId)]),
        ];
  if (mlflowExperimentId === null || clauses.includes(null)) return { ok: true, value: null };
  const found = await deps.mlflow.searchRuns({
    experimentIds: [mlflowExperimentId],
    filter: clauses.join(" AND "),
    maxResults: MAX_DOUBLES,
  });
  if (!found.ok) return found;
  const doubles = found.value.items.filter(
    ({ info, data }) =>
      info.runId !== mlflowRunId &&
      (modelRunId !== null || !data.tags.some(({ key }) => key === MODEL_RUN_TAG)),
  );
  return { ok: true, value: doubles.map(({ info }) => info.runId) };
}

function goneReport(runId: string): Report {
  const nothing = textReport({ due: [], missing: [], different: [], undelivered: 0, explained: 0 });
  return {
    undelivered_events: 0,
    run: { id: runId, state: "gone" },
    double_runs: null,
    points: noPoints,
    params: nothing,
    tags: nothing,
    state: null,
  };
}
