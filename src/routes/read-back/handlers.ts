import type { Verified } from "../../answers/report.ts";
import { HttpFailure } from "../../errors.ts";
import { type Verification, verifyStream } from "../../relay/repair/verify.ts";
import { RUN_STATEMENTS } from "../../relay/stream/under-lease.ts";
import { iso } from "../../store/listing/common.ts";
import { type SelectedStream, selectStreams } from "../../store/readback/verdicts.ts";
import { found } from "../door/query.ts";
import type { Asked, Replied } from "../handler.ts";
import { routes } from "../route.ts";
import { backfill, unreachable } from "./backfill.ts";
import { readBack } from "./contract.ts";

/** A helping of a model run: well within a Worker's queries and a client's patience. */
const MAX_STREAMS = 50;
const MAX_MS = 15_000;

export const readBackRoutes = routes(readBack, { verifyTrial, verifyModelRun, backfill });

type Contracts = (typeof readBack)["contracts"];

/** Reads a trial's run back and compares it with the journal. */
async function verifyTrial({ relay, path: { id } }: Asked<Contracts["verifyTrial"]>): Promise<Verified> {
  const [stream] = await selectStreams(relay.db, { id }, 0, 1);
  const trial = found(stream?.kind === "trial" ? stream : null, `trial ${id}`);
  const verification = await verifyStream(relay, trial.id);
  if (verification.kind === "unreachable") throw unreachable(verification.failure.message);
  if (verification.kind === "unreadable")
    throw new HttpFailure({
      kind: "conflict",
      detail: `The relay cannot read what it holds of this trial: ${verification.reason}.`,
    });
  return view(trial, verification);
}

/** The same of a model run and its trials, a helping at a time. */
async function verifyModelRun({
  relay,
  path: { id: modelRunId },
  query: { cursor },
}: Asked<Contracts["verifyModelRun"]>): Promise<Replied<Contracts["verifyModelRun"]["answers"]>> {
  const startedAt = relay.now();
  const streams = await selectStreams(relay.db, { model_run_id: modelRunId }, cursor, MAX_STREAMS + 1);
  if (cursor === 0) found(streams[0], `model run ${modelRunId}`);
  const results: Verified[] = [];
  for (const stream of streams.slice(0, MAX_STREAMS)) {
    if (results.length > 0 && (relay.now() - startedAt > MAX_MS || !relay.budget.has(RUN_STATEMENTS))) break;
    const verification = await verifyStream(relay, stream.id);
    if (verification.kind !== "unreachable") results.push(view(stream, verification));
    // What was found so far is kept and told; the next call says why it went no further.
    else if (results.length > 0) break;
    else throw unreachable(verification.failure.message);
  }
  const next = streams[results.length];
  return {
    model_run_id: modelRunId,
    confirmed: results.filter(({ verdict }) => verdict === "confirmed").length,
    differing: results.filter(({ verdict }) => verdict === "differs").length,
    results,
    next_cursor: next ? String(next.id) : null,
  };
}

/** Without a verdict nothing of it is in MLflow, and need not be, or the relay cannot read what it holds of it. */
function view(
  { key, kind, modelRunId, trialId }: SelectedStream,
  verification: Exclude<Verification, { kind: "unreachable" }>,
): Verified {
  const who = { id: key, kind, model_run_id: modelRunId, trial_id: trialId };
  if (verification.kind !== "checked") return { ...who, verdict: null, checked_at: null, report: null };
  const { verdict, checkedAt, report } = verification;
  return { ...who, verdict, checked_at: iso(checkedAt), report };
}
