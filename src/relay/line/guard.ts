import type { Config } from "../../config.ts";
import { type Failure, failed } from "../../mlflow/failure.ts";
import type { Breaker } from "../../store/ops/breakers.ts";
import type { Guard } from "../deps.ts";
import { readBreaker } from "./breaker.ts";
import { Pace } from "./pace.ts";

/** A breaker that was seen closed is taken for closed so long: a round trip to the database for every call is too much. */
const CLOSED_MS = 1_000;

/** What stands before every call to MLflow: whether calls are switched on, the breaker, and the row of calls. */
export class BreakerGuard implements Guard {
  readonly #deps: { db: D1Database; config: Config; now: () => number };
  readonly #pace: Pace;
  #closedUntil = 0;

  constructor(deps: { db: D1Database; config: Config; now: () => number }) {
    this.#deps = deps;
    this.#pace = new Pace(deps);
  }

  /** The breaker as it is now. */
  async breaker(): Promise<Breaker | null> {
    const breaker = await readBreaker(this.#deps);
    this.saw(breaker);
    return breaker;
  }

  /** Takes note of the breaker as it was just read with something else. */
  saw(breaker: Breaker | null): void {
    this.#closedUntil = breaker?.state === "open" ? 0 : this.#deps.now() + CLOSED_MS;
  }

  /** Why nothing may be sent now, or null. */
  async held(): Promise<Failure | null> {
    const { config, now } = this.#deps;
    if (!config.enabled) return failed("held", "calls to MLflow are switched off (MLFLOW_ENABLED)");
    if (now() < this.#closedUntil) return null;
    const breaker = await this.breaker();
    if (breaker?.state !== "open") return null;
    return failed("held", `the circuit breaker is open: ${breaker.lastError ?? "MLflow is away"}`);
  }

  /** The same for a call, which waits for its place in the row if it may be sent. */
  async admit(): Promise<Failure | null> {
    const held = await this.held();
    if (held === null) await this.pace();
    return held;
  }

  async pace(): Promise<void> {
    await this.#pace.wait();
  }
}
