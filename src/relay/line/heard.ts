import { type Failure, isAway } from "../../mlflow/failure.ts";
import type { Deps } from "../deps.ts";
import { recordFailure } from "./breaker.ts";

/** Has the breaker hear of a failed call, where it may be the server's state; passes the failure on. */
export async function heard(deps: Deps, failure: Failure): Promise<{ kind: "failed"; failure: Failure }> {
  if (isAway(failure)) await recordFailure(deps, failure);
  return { kind: "failed", failure };
}
