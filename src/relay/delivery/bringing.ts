import type { Result } from "../../mlflow/failure.ts";
import { type ClaimedExperiment, noteSent, type SentExperiment } from "../../store/gateway/behind.ts";
import type { Deps } from "../deps.ts";
import { sendPokes } from "../queues.ts";
import { leaseMs } from "../stream/held-stream.ts";

/** A step on an experiment's way: what it has come to, or why it goes no further. */
export type Part<T = void> =
  | Result<T>
  /** Not MLflow's doing: what it waits for, and for how long. */
  | { ok: false; failure: null; ms: number; error: string };

/** How soon to look again at what another has in hand. */
const LOST_MS = 2_000;

/** An experiment that is just brought to MLflow under its lease, and what MLflow was told of it so far. */
export class Bringing {
  readonly deps: Deps;
  readonly claimed: ClaimedExperiment;
  sent: SentExperiment;

  constructor(deps: Deps, claimed: ClaimedExperiment) {
    this.deps = deps;
    this.claimed = claimed;
    this.sent = claimed.sent ?? { name: claimed.name, lifecycle: "active", tags: {}, doubt: [] };
  }

  /**
   * Writes down what MLflow has, or is about to be told, and keeps the lease for another call.
   * @param how.mlflowId where it was just found or made
   * @param how.isLedAlong where MLflow has just deleted or restored it, with its runs
   */
  async note(
    change: Partial<SentExperiment>,
    { mlflowId = null, isLedAlong = false }: { mlflowId?: string | null; isLedAlong?: boolean } = {},
  ): Promise<Part> {
    const { deps, claimed } = this;
    this.sent = { ...this.sent, ...change };
    const ms = leaseMs(deps.config.mlflow.timeoutMs);
    const ledAlongAt = isLedAlong ? deps.now() : null;
    const told = await noteSent(deps.db, claimed, { sent: this.sent, ms, mlflowId, ledAlongAt });
    if (told === null) return { ok: false, failure: null, ms: LOST_MS, error: "another has it in hand" };
    await sendPokes(
      deps,
      told.map((streamId) => ({ streamId, urgent: true })),
    );
    return { ok: true, value: undefined };
  }
}
