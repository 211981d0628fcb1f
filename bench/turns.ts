import { type Cost, plus } from "./cost.ts";
import { type CountedRelay, sum } from "./counted.ts";
import type { Study } from "./study.ts";

export type Figure = { what: string; cost: Cost };

const BATCH = 100;

/**
 * What the consumer's turns cost, each by itself, and a trial's start and end with all that comes of them. The study's
 * trials are called `first` and `further`.
 */
export async function countTurns(
  relay: CountedRelay,
  study: Study,
): Promise<{ turns: Figure[]; aTrial: Cost }> {
  const first = await relay.count(async () => {
    await relay.postCounted([study.announcement, study.start("first")]);
    await relay.delivered(study.name, 1);
  });
  const further = await relay.count(async () => {
    await relay.postCounted(study.start("further"));
    await relay.delivered(study.name, 2);
  });
  const single = await relay.count(() => relay.postCounted(study.metrics("further", 0, 1)));
  const hundred = await relay.count(() => relay.postCounted(study.metrics("further", 1, BATCH)));
  const end = await relay.count(() => relay.postCounted(study.complete("further")));
  return {
    turns: [
      { what: "first delivery of a model run with its trial", cost: first.queue },
      { what: "first delivery of a further trial", cost: further.queue },
      { what: "one event", cost: single.queue },
      { what: `${BATCH} events`, cost: hundred.queue },
      { what: "the end of a trial", cost: end.queue },
    ],
    aTrial: plus(sum(further), sum(end)),
  };
}
