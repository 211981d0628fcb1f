import { errorText } from "../log.ts";
import { keepLock, lock, unlock } from "../store/locks.ts";
import { lastPull, NOTHING_DONE, type PassReport, storePass } from "../store/passes.ts";
import { forgetRefusals } from "../store/refusals.ts";
import { behindStreams } from "../store/streams.ts";
import { probe, readBreaker } from "./breaker.ts";
import { confirmDelivered } from "./confirm.ts";
import type { Deps } from "./deps.ts";
import { deleteDoubles } from "./doubles.ts";
import { flushTally } from "./flush-tally.ts";
import { follow } from "./follow.ts";
import { whileKept } from "./keep.ts";
import { closeOrphans, findQuiet } from "./quiet.ts";
import { forgetOld, retire } from "./retire.ts";
import { pokeAll, wake } from "./wake.ts";

const LOCK = "reconcile";
/** A lock that a dead pass left behind is gone before the next pass; one that lives renews it, however long it takes. */
const LOCK_MS = 4 * 60_000;
const MAX_POKED = 5_000;
const PAGE = 500;
/** What is due only after this is left to the next pass. */
const HORIZON_MS = 5 * 60_000;

/**
 * The cron's pass: probes an open breaker, pokes every trial that is behind and not already under way, settles
 * creates that went unanswered, prunes, and follows what was changed in MLflow. One at a time, bounded, and what it leaves the next one finds.
 * @returns the report, which is stored as well; null when another pass is running
 */
export async function reconcile(deps: Deps): Promise<PassReport | null> {
  const token = await lock(deps.db, LOCK, LOCK_MS);
  if (token === null) return null;
  try {
    return await whileKept(
      LOCK_MS / 4,
      () => keepLock(deps.db, LOCK, token, LOCK_MS),
      () => pass(deps),
    );
  } finally {
    await unlock(deps.db, LOCK, token);
  }
}

async function pass(deps: Deps): Promise<PassReport> {
  const startedAt = deps.now();
  const report = { ...NOTHING_DONE };
  // Each part by itself: what goes wrong in one is no reason to leave out the others.
  const attempt = async (part: string, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      const said = `${part}: ${errorText(error)}`;
      report.error = report.error === null ? said : `${report.error}; ${said}`;
      deps.log.error("a part of the cron's pass failed; the next pass goes on", {
        part,
        error: errorText(error),
      });
    }
  };
  // First of all: a pass that fails, or must not pull, is to leave the place where it was.
  await attempt("where it stopped", async () => {
    report.nextPullId = await lastPull(deps.db);
  });
  let looked = 0;
  const whileUp = async (part: string, work: () => Promise<void>) => {
    if (deps.config.enabled && report.probe !== "open") await attempt(part, work);
  };
  if (deps.config.enabled)
    await attempt("probe", async () => {
      report.probe = await probe(deps);
      // Not only when it closes just now: the pokes of an earlier wake may be lost, or not have been enough.
      if ((await readBreaker(deps))?.state !== "open") await wake(deps);
    });
  await attempt("poke", async () => {
    report.pokedTrials = await pokeBehind(deps);
  });
  await whileUp("doubles", async () => {
    const doubles = await deleteDoubles(deps);
    report.settledCreates = doubles.checked;
    report.deletedDoubles = doubles.deleted;
    looked += doubles.looked;
  });
  await whileUp("confirm", async () => {
    const confirmed = await confirmDelivered(deps);
    report.confirmedTrials = confirmed.confirmed;
    report.resentTrials = confirmed.sentAgain;
    looked += confirmed.looked;
  });
  await attempt("silence", async () => {
    report.orphanedTrials = await closeOrphans(deps);
    report.quietTrials = await findQuiet(deps);
  });
  await whileUp("prune", async () => {
    const retired = await retire(deps);
    report.retiredTrials = retired.trials;
    report.prunedRows = retired.rows;
  });
  await attempt("forget", async () => {
    report.forgottenRows = (await forgetOld(deps)) + (await forgetRefusals(deps.db, deps.now()));
  });
  await attempt("follow", () => follow(deps, report, looked));
  deps.tally.add("relay_cron_passes_total");
  await flushTally(deps);
  await storePass(deps.db, startedAt, deps.now(), report);
  deps.log.info("reconciled", report);
  return report;
}

/** Pokes what is behind, each trial when whatever is still under way for it must have shown itself. */
async function pokeBehind(deps: Deps): Promise<number> {
  const deliver = !deps.config.enabled ? "none" : deps.config.autoSync ? "all" : "forced";
  let afterId = 0;
  let poked = 0;
  while (poked < MAX_POKED) {
    const page = await behindStreams(deps.db, deps.now(), { afterId, limit: PAGE, deliver });
    const due = page.filter((stream) => stream.dueInMs < HORIZON_MS);
    const bySecond = Map.groupBy(due, (stream) => Math.ceil(stream.dueInMs / 1000));
    for (const [second, streams] of bySecond)
      await pokeAll(
        deps,
        streams.map((stream) => stream.id),
        second,
      );
    poked += due.length;
    const last = page.at(-1);
    if (!last || page.length < PAGE) break;
    afterId = last.id;
  }
  return poked;
}
