import type { SentAgain } from "../../answers/report.ts";
import { invalid } from "../../domain/problems.ts";
import { HttpFailure } from "../../errors.ts";
import type { Deps } from "../../relay/deps.ts";
import {
  type BackfillPlan,
  type BackfillScope,
  HELPING_POINTS,
  isEmptyPlan,
  planBackfill,
  planView,
  type Resume,
} from "../../relay/repair/backfill.ts";
import { sendAgain } from "../../relay/repair/send-again.ts";
import { RUN_STATEMENTS } from "../../relay/stream/under-lease.ts";
import { type SelectedStream, selectStreams } from "../../store/readback/verdicts.ts";
import { found, refusal } from "../door/query.ts";
import type { Asked, Replied } from "../handler.ts";
import type { BackfillCursor, BackfillRequest, readBack } from "./contract.ts";

const RETRY_AFTER_SECONDS = 30;
const MAX_STREAMS = 50;
const MAX_MS = 15_000;
const SELECTION_RULE =
  "must name what to send again by one of id, model_run_id, trial_id, from_time, to_time, from_step, to_step";

type Backfill = (typeof readBack)["contracts"]["backfill"];

/** Sends again what MLflow lost, or says what would be sent. */
export async function backfill({ relay, readBody }: Asked<Backfill>): Promise<Replied<Backfill["answers"]>> {
  const asked = await readBody();
  refuseWithoutSelection(asked);
  const startedAt = relay.now();
  const { id, model_run_id, trial_id } = asked;
  const from = asked.cursor ?? { stream: 0, resume: null };
  const streams = await selectStreams(relay.db, { id, model_run_id, trial_id }, from.stream, MAX_STREAMS + 1);
  if (asked.cursor === null) found(streams[0], "trial or model run of that name");
  const results: SentAgain[] = [];
  let points = 0;
  let next: BackfillCursor | null = null;
  for (const [index, stream] of streams.entries()) {
    next = { stream: stream.id, resume: index === 0 ? from.resume : null };
    if (index >= MAX_STREAMS || points >= HELPING_POINTS) break;
    if (index > 0 && (relay.now() - startedAt > MAX_MS || !relay.budget.has(RUN_STATEMENTS))) break;
    const answer = await planBackfill(relay, stream.id, scopeOf(asked), next.resume);
    if (answer.kind === "unreachable") {
      // What was done so far is told; the next call says why it went no further.
      if (results.length === 0) throw unreachable(answer.message);
      break;
    }
    const { result, resume } = await helping(relay, stream, answer, asked.dry_run);
    results.push(result);
    points += result.points;
    if (result.outcome === "busy") break;
    next = resume ? { stream: stream.id, resume } : null;
    if (resume) break;
  }
  return { dry_run: asked.dry_run, points, results, next_cursor: next };
}

/** One stream's part: sent, or only told. */
async function helping(
  relay: Deps,
  stream: SelectedStream,
  answer: Exclude<BackfillPlan, { kind: "unreachable" }>,
  dryRun: boolean,
): Promise<{ result: SentAgain; resume: Resume | null }> {
  const { key: id, kind, modelRunId: model_run_id, trialId: trial_id } = stream;
  const who = { id, kind, model_run_id, trial_id };
  if (answer.kind === "impossible")
    return { result: { ...who, outcome: "impossible", reason: answer.reason, points: 0 }, resume: null };
  const { plan } = answer;
  const view = { ...who, ...planView(plan) };
  if (isEmptyPlan(plan)) return { result: { ...view, outcome: "nothing" }, resume: plan.next };
  if (dryRun) return { result: { ...view, outcome: "would_send" }, resume: plan.next };
  const isSent = await sendAgain(relay, stream.id, plan);
  if (isSent) relay.log.info("sent again by an operator", { stream: id, points: view.points });
  return { result: { ...view, outcome: isSent ? "queued" : "busy" }, resume: plan.next };
}

function scopeOf({ from_time, to_time, from_step, to_step, only_missing }: BackfillRequest): BackfillScope {
  return {
    fromTime: from_time,
    toTime: to_time,
    fromStep: from_step,
    toStep: to_step,
    onlyMissing: only_missing,
  };
}

function refuseWithoutSelection(asked: BackfillRequest): void {
  const { only_missing: _, dry_run: __, cursor: ___, ...selection } = asked;
  const isSelected = Object.values(selection).some((one) => one !== undefined && one !== null);
  if (!isSelected) throw refusal([invalid(["body"], SELECTION_RULE, asked)]);
}

/** The answer while MLflow cannot be read: nothing was begun, so the request can simply be sent again. */
export function unreachable(message: string): HttpFailure {
  return new HttpFailure({
    kind: "unavailable",
    detail: `MLflow cannot be read just now: ${message}. Nothing was changed.`,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
