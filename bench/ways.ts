import { setTimeout as sleep } from "node:timers/promises";
import { type Cost, times } from "./cost.ts";
import { type CountedRelay, sum } from "./counted.ts";
import type { Study } from "./study.ts";

/** What one event costs, sent in one way, until it is in MLflow. */
export type Way = { way: string; events: number; anEvent: Cost };

const LARGEST_REQUEST = 5_000;
const BATCHES = 10;
const BATCH = 100;
const ONE_BY_ONE = 30;
const ONE_SECOND_MS = 1_000;
const ON_ITS_OWN = 5;

/** Metric events, each way in a trial of its own whose start is in MLflow before. */
export async function countWays(relay: CountedRelay, study: Study): Promise<Way[]> {
  const way = async (name: string, events: number, send: (trial: string) => Promise<void>): Promise<Way> => {
    await relay.count(() => relay.post(study.start(name)));
    const counted = await relay.count(() => send(name));
    await relay.count(() => relay.post(study.complete(name)));
    return { way: name, events, anEvent: times(sum(counted), 1 / events) };
  };
  return [
    await way(`requests of ${LARGEST_REQUEST}`, LARGEST_REQUEST, (trial) =>
      relay.postCounted(study.metrics(trial, 0, LARGEST_REQUEST)),
    ),
    await way(`requests of ${BATCH}`, BATCHES * BATCH, async (trial) => {
      for (let i = 0; i < BATCHES; i++) await relay.postCounted(study.metrics(trial, i * BATCH, BATCH));
    }),
    await way("one by one, one a second", ONE_BY_ONE, async (trial) => {
      for (let i = 0; i < ONE_BY_ONE; i++) {
        await relay.postCounted(study.metrics(trial, i, 1));
        await sleep(ONE_SECOND_MS);
      }
    }),
    await way("each on its own", ON_ITS_OWN, async (trial) => {
      for (let i = 0; i < ON_ITS_OWN; i++)
        await relay.count(() => relay.postCounted(study.metrics(trial, i, 1)));
    }),
  ];
}
