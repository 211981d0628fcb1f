import type { Block } from "../../domain/blocked.ts";

/**
 * - restore: the deleted run, and its experiment, come back in MLflow, and delivery goes on where it was
 * - recreate: the deleted run stays as it is, and a new one gets the whole journal
 * - forget: nothing more of it is delivered, whatever its trainer still sends; the relay keeps and shows it all, and
 *   restore or recreate take it up again at any time, with nothing missing
 */
export const UNBLOCK_ACTIONS = ["restore", "recreate", "forget"] as const;
export type UnblockAction = (typeof UNBLOCK_ACTIONS)[number];

/** One thing that is done to get a blocked stream going, or to put it aside, in the order in which it is done. */
export type Change =
  | { change: "restore_experiment"; experiment_id: string; name: string; also_frees: number }
  | { change: "restore_run"; run_id: string }
  /** Forgets the run, if there was one, and sends the whole journal to a new one. */
  | { change: "new_run"; instead_of: string | null }
  | { change: "refuse_run"; run_id: string }
  | { change: "deliver" }
  | { change: "forget" };

export type Unblocked =
  | { kind: "done"; block: Block; changes: Change[] }
  /** It cannot be done as things stand. */
  | { kind: "refused"; detail: string }
  /** It may be done later: the stream is in other hands, or MLflow does not answer. */
  | { kind: "later"; detail: string };
