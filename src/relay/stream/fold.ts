import type { Core } from "../../domain/core.ts";
import { fold } from "../../domain/fold.ts";
import { isOutOfStatements } from "../../store/database/budget.ts";
import { storeFold, watermarkOf } from "../../store/journal/fold.ts";
import { loadUnfolded } from "../../store/journal/unfolded.ts";
import type { Deps } from "../deps.ts";

/** So many helpings at most in one go: a giant backlog is folded in several turns. */
const MAX_HELPINGS = 10;

type Foldable = { id: number; kind: "trial" | "model_run"; foldedSeq: number };

/**
 * Brings a stream's query rows up to date; needs no lease, since of two folds at once one finds the watermark
 * moved and writes nothing.
 * @returns the watermark reached, whether there is more to fold, and the state's core where this brought it there
 */
export async function foldStream(
  deps: Pick<Deps, "db" | "now">,
  stream: Foldable,
): Promise<{ foldedSeq: number; more: boolean; core: Core | null }> {
  let { foldedSeq } = stream;
  let core: Core | null = null;
  try {
    for (let i = 0; i < MAX_HELPINGS; i++) {
      const helping = await loadUnfolded(deps.db, { ...stream, foldedSeq });
      if (!helping) return { foldedSeq, more: false, core };
      const after = fold(helping.before, helping.events, helping.points);
      const stored = await storeFold(deps.db, { ...stream, foldedSeq }, helping, after, deps.now());
      // Another fold was first, and so did this work; what it left is found at the next poke.
      if (!stored) return { foldedSeq: await watermarkOf(deps.db, stream.id), more: true, core: null };
      foldedSeq = helping.upto;
      core = after.state.core;
      if (!helping.more) return { foldedSeq, more: false, core };
    }
  } catch (error) {
    // Each helping is there for good.
    if (!isOutOfStatements(error)) throw error;
  }
  return { foldedSeq, more: true, core };
}
