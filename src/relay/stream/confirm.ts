import { batchTag, hasToken } from "../../mlflow/plan.ts";
import type { Run } from "../../mlflow/types.ts";
import { pendingTokens } from "../../store/delivery/batches.ts";
import { type Due, dueForConfirmation, forgetSent, noteConfirmed } from "../../store/delivery/confirmed.ts";
import { readUnconfirmed, type Unconfirmed } from "../../store/stream/columns.ts";
import { backoffMs } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { heard } from "../line/breaker.ts";
import { MAX_IDS, runsById } from "../line/runs-by-id.ts";
import { sendPokes } from "../queues.ts";
import type { HeldStream } from "./held-stream.ts";
import { stop } from "./stop.ts";
import { proceed, type Step, type Turn } from "./turn.ts";
import { RUN_STATEMENTS, underLease } from "./under-lease.ts";

/**
 * What answers in MLflow's place with a bare `{}` cannot be told from MLflow by its words. So what counts as delivered
 * is confirmed by its tag: each batch sets one of a few tags to its token, which none of the others sets until the
 * token was seen.
 */
const SLOTS = 8;

const MAX_DUE = 1_000;
/** So many that a search leaves in doubt are looked at by themselves in a pass, for a call each. */
const MAX_LOOKS = 20;

/** The tag that a batch's token is to be in, noted with the next statement; null: all wait to be confirmed. */
export function slotFor(held: HeldStream, token: string): string | null {
  const { unconfirmed, deliveredSeq } = held.stream;
  const sent = readUnconfirmed(unconfirmed);
  const own = sent.find((one) => one.token === token);
  if (own) return batchTag(own.slot);
  const taken = new Set(sent.map(({ slot }) => slot));
  const slot = Array.from({ length: SLOTS }, (_, n) => n).find((n) => !taken.has(n));
  if (slot === undefined) return null;
  held.expect([...sent, { slot, token, after: deliveredSeq }]);
  return batchTag(slot);
}

/** Looks at the run, where there are fewer tags left than batches to be sent. Not while others are being planned. */
export async function makeRoom(turn: Turn, runId: string, batches: number): Promise<Step> {
  const free = SLOTS - readUnconfirmed(turn.stream.unconfirmed).length;
  if (free >= Math.min(batches, SLOTS)) return proceed;
  const run = await turn.call(() => turn.deps.mlflow.getRun(runId));
  return run.ok ? confirm(turn, run.value) : stop(turn, run.failure);
}

/**
 * Takes what was sent for confirmed where the run shows it. Where it does not, MLflow never heard of it: what came
 * after the last that is sure is delivered once more, from the journal.
 * @param run as it was read under the turn's lease
 */
export async function confirm(turn: Turn, run: Run): Promise<Step> {
  const sent = readUnconfirmed(turn.stream.unconfirmed);
  if (sent.length === 0) return proceed;
  const { deps, lease, stream } = turn;
  const missing = missingIn(sent, run);
  const pending = missing.length === 0 ? new Set<string>() : await pendingTokens(deps.db, stream.id);
  const lost = missing.filter(({ token }) => !pending.has(token));
  if (lost.length === 0) {
    turn.expect(missing);
    return proceed;
  }
  // What is sent again at an operator's word has put the stream further back, and its batches are forgotten with the others.
  const after = Math.min(stream.deliveredSeq, ...lost.map((one) => one.after));
  deps.log.error("what counted as delivered is not in MLflow, and is sent again", { after_seq: after });
  const back = {
    unconfirmed: null,
    deliveredSeq: after,
    plannedSeq: after,
    // It was to be delivered once, whatever is switched off by now.
    forced: stream.forced || !deps.config.autoSync,
  };
  const isBack = await turn.update(back, forgetSent(deps.db, lease, after, run.data.tags));
  if (!isBack) return stop(turn, null);
  // Whoever swallows one batch may swallow the next.
  const ms = backoffMs(stream.attempts, deps.config.retry, deps.random);
  const error = "what counted as delivered is not in MLflow, and is sent again";
  return { ok: false, end: { kind: "wait", for: "retry", ms, error } };
}

function missingIn(sent: readonly Unconfirmed[], run: Run): Unconfirmed[] {
  return sent.filter(({ token }) => !hasToken(run, token));
}

/** Confirms what was delivered, many runs by one search; what MLflow lacks is sent again. */
export async function confirmDelivered(deps: Deps): Promise<{ confirmed: number; sentAgain: number }> {
  const counts = { confirmed: 0, sentAgain: 0 };
  const due = await dueForConfirmation(deps.db, deps.now(), MAX_DUE);
  const inDoubt: number[] = [];
  for (let from = 0; from < due.length; from += MAX_IDS) {
    const page = due.slice(from, from + MAX_IDS);
    const found = await runsById(deps, page);
    if (!found.ok) {
      await heard(deps, found.failure);
      break;
    }
    const isSure = ({ runId, unconfirmed }: Due) => {
      const run = found.runs.get(runId);
      return run !== undefined && missingIn(readUnconfirmed(unconfirmed), run).length === 0;
    };
    const sure = page.filter(isSure);
    await noteConfirmed(deps.db, sure);
    counts.confirmed += sure.length;
    inDoubt.push(...page.filter((stream) => !isSure(stream)).map(({ id }) => id));
  }
  // In any order: those that stay in doubt leave the others their turn.
  const drawn = inDoubt.map((id) => ({ id, lot: deps.random() })).toSorted((a, b) => a.lot - b.lot);
  for (const { id } of drawn.slice(0, MAX_LOOKS)) {
    if (!deps.budget.has(RUN_STATEMENTS)) break;
    if (await sendsAgain(deps, id)) counts.sentAgain++;
  }
  return counts;
}

/** Looks at one run by itself; whether something is to be sent again. */
async function sendsAgain(deps: Deps, streamId: number): Promise<boolean> {
  const again = await underLease(
    deps,
    streamId,
    () => false,
    async (turn) => {
      const runId = turn.stream.mlflowRunId;
      if (runId === null) return false;
      const run = await turn.call(() => turn.deps.mlflow.getRun(runId));
      if (!run.ok) {
        // There is nothing left in which to see it.
        if (run.failure?.kind === "gone") turn.expect([]);
        return false;
      }
      return !(await confirm(turn, run.value)).ok;
    },
  );
  if (again) await sendPokes(deps, [{ streamId, urgent: true }]);
  return again;
}
