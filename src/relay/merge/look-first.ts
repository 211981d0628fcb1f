import type { Core } from "../../domain/core.ts";
import { isMerged } from "../../domain/merge.ts";
import { isNewsTo } from "../../domain/run-state.ts";
import { readSentState } from "../../store/stream/columns.ts";
import { KEEP_MS } from "../stream/leased-stream.ts";
import { stop } from "../stream/stop.ts";
import type { Step, Turn } from "../stream/turn.ts";
import type { Looks } from "./looks.ts";
import { mergeRun } from "./merge-run.ts";

/** A look is good for so long: what is written later needs another. */
const LOOK_STAYS_MS = 5_000;

/** When the run was last looked at in this turn, or made, in epoch milliseconds (null: not yet), and whether it was merged. */
export type Seen = { at: number | null; isMerged: boolean };

/**
 * Looks at the run and merges before anything is sent, where what is sent could wipe out an edit made in MLflow that
 * no pull has seen yet: MLflow keeps nothing of what is overwritten there, and every conflict is to be recorded. Points
 * and parameters are never overwritten and need no look.
 * @param about.isNew whether the run was linked in this very turn: nobody has edited one that was just made
 * @param about.tags those that are to be changed
 */
export async function lookFirst(
  turn: Turn,
  looks: Looks,
  core: Core,
  runId: string,
  { isNew, tags }: { isNew: boolean; tags: readonly string[] },
): Promise<Step<Seen>> {
  if (isNew && !turn.stream.adopted) return { ok: true, value: { at: turn.deps.now(), isMerged: false } };
  const overwrites = tellsState(turn, core) || tags.some((key) => isMerged(key));
  return isNew || overwrites ? look(turn, looks, runId) : { ok: true, value: { at: null, isMerged: false } };
}

/** The same before the run's state is told, which may be long after the first batch was sent. */
export async function lookAgain(
  turn: Turn,
  looks: Looks,
  core: Core,
  runId: string,
  seen: Seen,
): Promise<Step<Seen>> {
  const isRecent = seen.at !== null && turn.deps.now() - seen.at <= LOOK_STAYS_MS;
  return isRecent || !tellsState(turn, core)
    ? { ok: true, value: { ...seen, isMerged: false } }
    : look(turn, looks, runId);
}

function tellsState({ stream }: Turn, core: Core): boolean {
  const sent = readSentState(stream.sentState);
  return sent !== null && isNewsTo(sent, core);
}

async function look(turn: Turn, looks: Looks, runId: string): Promise<Step<Seen>> {
  const { deps, lease } = turn;
  const at = deps.now();
  // The search waits for its own place in the row of calls, once for all.
  if (!(await turn.stay())) return stop(turn, null);
  const experimentId = turn.stream.mlflowExperimentId;
  const shared = experimentId === null ? null : await looks.see({ runId, experimentId });
  if (deps.now() - at > lease.ms - KEEP_MS) return stop(turn, null);
  const run =
    shared?.ok && shared.value !== null
      ? { ok: true as const, value: shared.value }
      : await turn.call(() => deps.mlflow.getRun(runId));
  if (!run.ok) return stop(turn, run.failure);
  // Writing to a deleted run is refused, and that says why.
  if (run.value.info.lifecycleStage === "deleted") return { ok: true, value: { at, isMerged: false } };
  const merged = await mergeRun(turn, run.value);
  return merged.ok ? { ok: true, value: { at, isMerged: true } } : merged;
}
