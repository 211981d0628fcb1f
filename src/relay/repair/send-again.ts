import type { Items } from "../../mlflow/plan.ts";
import { agreeing } from "../../store/delivery/agreed.ts";
import { requeue } from "../../store/delivery/requeue.ts";
import { expectedTags } from "../../store/readback/expected.ts";
import { type Claim, claim } from "../../store/stream/claims.ts";
import type { Deps } from "../deps.ts";
import { leaseMs } from "../stream/held-stream.ts";
import { letGo } from "../stream/under-lease.ts";
import type { Plan } from "./backfill.ts";

type Claimed = Extract<Claim, { kind: "claimed" }>;

/**
 * Puts a plan on its way through the ordinary delivery.
 * @returns false when another turn has the stream just now; then nothing was changed
 */
export async function sendAgain(deps: Deps, streamId: number, plan: Plan): Promise<boolean> {
  const claimed = await claim(deps.db, streamId, leaseMs(deps.config.mlflow.timeoutMs));
  if (claimed.kind !== "claimed") return false;
  let toTell = {};
  try {
    const isQueued = await queue(deps, claimed, plan);
    // Delivery compares with what it last told MLflow: so it finds that MLflow has to be told again.
    if (plan.state && claimed.stream.sentState === plan.state.sent) toTell = { sentState: plan.state.found };
    return isQueued;
  } finally {
    await letGo(deps, claimed.lease, toTell);
  }
}

async function queue(deps: Deps, { lease, stream }: Claimed, plan: Plan): Promise<boolean> {
  // A tag that changed since the plan was made goes out by its own event, and the older value must not follow it.
  const now = new Map((await expectedTags(deps.db, stream.id)).map((tag) => [tag.key, tag.seq]));
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
  const fromSeq = seqs.reduce((least, seq) => Math.min(least, seq), stream.lastSeq);
  // An edit made in MLflow that the plan overrules is none that a merge may take over in the meantime.
  const overruled = agreeing(deps.db, lease, {
    tags: new Map(tags.map(({ key, found }) => [key, found])),
    params: new Map(),
  });
  return requeue(deps.db, lease, { items, fromSeq, after: overruled });
}
