import { sleep } from "../../poll.ts";
import { isDelivering } from "../../store/stream/leases.ts";
import type { Deps } from "../deps.ts";

const MAX_REST_MS = 2_000;

/**
 * After a job's call to MLflow: while live delivery has a stream in hand, waits as long as the call took, so that a
 * large pull takes at most half of one connection.
 */
export async function rest({ db }: Pick<Deps, "db">, callMs: number): Promise<void> {
  if (!(await isDelivering(db))) return;
  await sleep(Math.min(callMs, MAX_REST_MS));
}
