import type { Result } from "../../mlflow/failure.ts";
import type { Run } from "../../mlflow/types.ts";
import type { Deps } from "../deps.ts";
import { MAX_IDS, type RunPlace, runsById } from "../line/runs-by-id.ts";

/** How long a turn waits for others that want to look as well. */
const COMPANY_MS = 100;

type Waiting = RunPlace & PromiseWithResolvers<Result<Run | null>>;

/**
 * Looks at runs in MLflow, for the turns that one invocation has in hand: those that want to look at about the same
 * time share one search. Each of them holds its stream's lease while it waits, so that nothing of the relay's is
 * written to the run meanwhile.
 */
export class Looks {
  readonly #deps: Pick<Deps, "mlflow">;
  #waiting: Waiting[] = [];
  #inHand = 0;

  constructor(deps: Pick<Deps, "mlflow">) {
    this.#deps = deps;
  }

  /** Has others wait a moment for this turn, until it has ended. */
  async during<T>(turn: () => Promise<T>): Promise<T> {
    this.#inHand++;
    try {
      return await turn();
    } finally {
      this.#inHand--;
      this.#askIfAllWait();
    }
  }

  /** The run as MLflow has it; null where the search does not show it. */
  see(place: RunPlace): Promise<Result<Run | null>> {
    const answer = Promise.withResolvers<Result<Run | null>>();
    this.#waiting.push({ ...place, ...answer });
    if (this.#waiting.length === 1) setTimeout(() => this.#ask(), COMPANY_MS);
    this.#askIfAllWait();
    return answer.promise;
  }

  #askIfAllWait(): void {
    if (this.#waiting.length >= Math.min(this.#inHand, MAX_IDS)) this.#ask();
  }

  async #ask(): Promise<void> {
    const asking = this.#waiting;
    if (asking.length === 0) return;
    this.#waiting = [];
    try {
      const found = await runsById(this.#deps, asking);
      for (const { runId, resolve } of asking)
        resolve(found.ok ? { ok: true, value: found.runs.get(runId) ?? null } : found);
    } catch (error) {
      for (const { reject } of asking) reject(error);
    }
  }
}
