import { errorText } from "../../log.ts";
import { artifactsBehind } from "../../store/artifacts/hand-over.ts";
import {
  behindStreams,
  type Deliverable,
  lastStreamId,
  waitingForBreaker,
} from "../../store/delivery/streams.ts";
import { experimentsBehind } from "../../store/gateway/behind.ts";
import { modelsBehind } from "../../store/gateway/models-behind.ts";
import type { Deps } from "../deps.ts";
import { artifactMessage, experimentMessage, modelMessage, pokeMessage } from "../messages.ts";
import { enqueueAll, type Queues } from "../queues.ts";

const MAX_WOKEN = 2_000;
const FIRST_GROUP = 4;
const MAX_EXPERIMENTS = 100;
const MAX_FILES = 2_000;
const MAX_MODELS = 100;

/** Half of what a pass pokes where there is more than it may poke. */
const HALF_POKED = 2_500;
const PAGE = 500;
/** What is due only after this is left to the next pass. */
const HORIZON_MS = 5 * 60_000;

/**
 * Slow start after an outage: experiments, logged models, and a few of the waiting trials at once, twice as many each
 * second after; files go one by one by themselves. A trial that is leased is poked once its lease is over: its holder
 * may have died. What is beyond the bounds is found by the cron.
 */
export async function wake(
  deps: Pick<Deps, "db" | keyof Queues | "config" | "log" | "now">,
): Promise<number> {
  const waiting = await waitingForBreaker(deps.db, MAX_WOKEN, deliverable(deps));
  for (let second = 0, from = 0, size = FIRST_GROUP; from < waiting.length; second++, from += size, size *= 2)
    await pokeWhenDue(deps, waiting.slice(from, from + size), ({ leasedMs }) =>
      Math.max(second * 1000, leasedMs),
    );
  const experiments = await experimentsBehind(deps.db, MAX_EXPERIMENTS);
  await enqueueAll(deps, experiments.map(experimentMessage));
  const models = await modelsBehind(deps.db, deps.now(), MAX_MODELS);
  await enqueueAll(deps, models.map(modelMessage));
  const files = await artifactsBehind(deps.db, deps.now(), MAX_FILES);
  await enqueueAll(deps, files.map(artifactMessage));
  deps.log.info("waiting trials woken", { trials: waiting.length });
  return waiting.length;
}

/** The same for somebody who waits for an answer: those of whom no message could be sent are found by the cron. */
export async function tryWake(deps: Parameters<typeof wake>[0]): Promise<void> {
  try {
    await wake(deps);
  } catch (error) {
    deps.log.warn("waiting trials are left to the cron", { error: errorText(error) });
  }
}

/**
 * Pokes what is behind, each trial when whatever is still under way for it must have shown itself; how many. Of too many
 * half are the first ones, and half begin anywhere behind them: those that stay behind keep no other waiting for ever.
 */
export async function pokeBehind(deps: Deps): Promise<number> {
  const first = await pokeAfter(deps, 0);
  if (first.lastId === null) return first.poked;
  const ids = (await lastStreamId(deps.db)) - first.lastId;
  // As often at the very first of them as behind any of half a pass: otherwise these would have few turns.
  const skipped = Math.max(0, Math.floor(deps.random() * (ids + HALF_POKED)) - HALF_POKED);
  const { poked } = await pokeAfter(deps, first.lastId + skipped);
  return first.poked + poked;
}

/** `lastId`: behind which there may be more; null where there is none. */
async function pokeAfter(deps: Deps, id: number): Promise<{ poked: number; lastId: number | null }> {
  const deliver = deliverable(deps);
  let afterId = id;
  let poked = 0;
  while (poked < HALF_POKED) {
    const page = await behindStreams(deps.db, deps.now(), { afterId, limit: PAGE, deliver });
    const due = page.filter((stream) => stream.dueInMs < HORIZON_MS);
    await pokeWhenDue(deps, due, ({ dueInMs }) => dueInMs);
    poked += due.length;
    const last = page.at(-1);
    if (!last || page.length < PAGE) return { poked, lastId: null };
    afterId = last.id;
  }
  return { poked, lastId: afterId };
}

/** What is brought to MLflow at all. */
function deliverable({ config }: Pick<Deps, "config">): Deliverable {
  return !config.enabled ? "none" : config.autoSync ? "all" : "forced";
}

/** Pokes each stream when it is due, in whole seconds. */
async function pokeWhenDue<Stream extends { id: number }>(
  deps: Pick<Deps, keyof Queues>,
  streams: readonly Stream[],
  inMs: (stream: Stream) => number,
): Promise<void> {
  const bySecond = Map.groupBy(streams, (stream) => Math.ceil(inMs(stream) / 1000));
  for (const [second, due] of bySecond)
    await enqueueAll(
      deps,
      due.map(({ id }) => pokeMessage(id)),
      second * 1000,
    );
}
