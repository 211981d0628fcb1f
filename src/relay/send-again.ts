import type { Items } from "../mlflow/plan.ts";
import { keptTags } from "../store/kept.ts";
import { claim } from "../store/leases.ts";
import { requeue } from "../store/requeue.ts";
import type { Plan } from "./backfill.ts";
import type { Deps } from "./deps.ts";
import { letGo } from "./let-go.ts";
import { leaseMs } from "./turn.ts";

/**
 * Puts a plan on its way through the ordinary delivery.
 * @returns false when another turn has the stream just now; then nothing was changed
 */
export async function sendAgain(deps: Deps, streamId: number, plan: Plan): Promise<boolean> {
  const { mlflow, maxConcurrentCalls } = deps.config;
  const claimed = await claim(deps.db, streamId, leaseMs(mlflow.timeoutMs), maxConcurrentCalls);
  if (claimed.kind !== "claimed") return false;
  // A tag that changed since the plan was made goes out by its own event, and the older value must not follow it.
  const now = new Map((await keptTags(deps.db, streamId)).map((tag) => [tag.key, tag.seq]));
  const tags = plan.tags.filter(({ key, seq }) => (now.get(key) ?? seq) === seq);
  const items: Items = {
    metrics: [...plan.points].flatMap(([key, points]) =>
      points.map(({ value, timestamp, step }) => ({ key, value, timestamp, step })),
    ),
    params: plan.params.map(({ key, value }) => ({ key, value })),
    tags: tags.map(({ key, value }) => ({ key, value })),
  };
  // The tags that name the trial are of no event.
  const seqs = [...plan.points.values(), plan.params, tags]
    .flat()
    .flatMap(({ seq }) => (seq > 0 ? [seq] : []));
  const fromSeq = seqs.reduce((least, seq) => Math.min(least, seq), claimed.stream.lastSeq);
  const isQueued = await requeue(deps.db, claimed.lease, streamId, items, fromSeq);
  // Delivery compares with what it last told MLflow: so it finds that MLflow has to be told again.
  const toTell =
    plan.state && claimed.stream.sentState === plan.state.sent ? { sentState: plan.state.found } : {};
  await letGo(deps, claimed.lease, toTell);
  return isQueued;
}
