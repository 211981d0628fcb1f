import { takesAnything } from "../../domain/merge.ts";
import type { Run } from "../../mlflow/types.ts";
import { readSidesOf, type StoredSides } from "../../store/delivery/agreed.ts";
import { type Conflict, streamsWithNewConflicts } from "../../store/mirror/conflicts.ts";
import type { Deps } from "../deps.ts";
import { conflictsOf, mergeOf } from "../merge/merge-run.ts";
import { agreedTags, sentAfter } from "../merge/run-sides.ts";

/** A linked run as MLflow has just shown it. */
type Seen = { streamId: number; run: Run };

/** What is compared at once: both sides of it are held in memory. */
const MAX_STREAMS = 100;
const MAX_TEXTS = 2_000;

/** Runs in groups, in their order, each as many as may be compared at once; one by itself however much it holds. */
export function comparable<T extends Seen>(seen: readonly T[]): T[][] {
  const groups: T[][] = [];
  let texts = 0;
  for (const each of seen) {
    const { tags, params } = each.run.data;
    const last = groups.at(-1);
    texts += tags.length + params.length;
    if (last && last.length < MAX_STREAMS && texts <= MAX_TEXTS) {
      last.push(each);
    } else {
      groups.push([each]);
      texts = tags.length + params.length;
    }
  }
  return groups;
}

/** The streams of a group whose merge would write anything down. Looks only, with a few statements for all of them. */
export async function streamsWithNews(deps: Deps, seen: readonly Seen[]): Promise<Set<number>> {
  const sides = await readSidesOf(
    deps.db,
    seen.map(({ streamId }) => streamId),
  );
  const news = new Set<number>();
  const met: Conflict[] = [];
  for (const { streamId, run } of seen) {
    const stored = sides.get(streamId);
    if (!stored) continue;
    const { takes, conflicts } = mergeComesTo(deps, stored, run);
    if (takes) news.add(streamId);
    else met.push(...conflicts);
  }
  return news.union(await streamsWithNewConflicts(deps.db, met));
}

function mergeComesTo(deps: Deps, stored: StoredSides, run: Run): { takes: boolean; conflicts: Conflict[] } {
  const { sides, merged } = mergeOf(deps, stored, run);
  const moves = JSON.stringify(sentAfter(stored.sent, sides, merged)) !== JSON.stringify(stored.sent);
  const takes = takesAnything(merged) || agreedTags(sides, merged).size > 0 || moves;
  return { takes, conflicts: conflictsOf(stored.stream.id, merged, deps.now()) };
}
