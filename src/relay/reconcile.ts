import { errorText } from "../log.ts";
import { isOutOfStatements } from "../store/budget.ts";
import { pruneJobs } from "../store/job-records.ts";
import { keepLock, lock, unlock } from "../store/locks.ts";
import { lastPull, NOTHING_DONE, type PassReport, storePass } from "../store/passes.ts";
import { forgetRefusals } from "../store/refusals.ts";
import { behindStreams } from "../store/streams.ts";
import { probe, readBreaker } from "./breaker.ts";
import { confirmDelivered } from "./confirm.ts";
import { type Deps, onShare } from "./deps.ts";
import { deleteDoubles } from "./doubles.ts";
import { flushTally } from "./flush-tally.ts";
import { follow } from "./follow.ts";
import { pruneHistory } from "./history.ts";
import { pokeDueJobs } from "./jobs.ts";
import { whileKept } from "./keep.ts";
import { pullWatched } from "./pull-watched.ts";
import { closeOrphans, findQuiet } from "./quiet.ts";
import { forgetOld, retire } from "./retire.ts";
import { summarizeModelRuns } from "./summarize.ts";
import { pokeAll, wake } from "./wake.ts";

const LOCK = "reconcile";
/** A lock that a dead pass left behind is gone before the next pass; one that lives renews it, however long it takes. */
const LOCK_MS = 4 * 60_000;
const MAX_POKED = 5_000;
const PAGE = 500;
const MAX_PRUNED_JOBS = 1_000;
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

/** What each part of a pass has for certain, in statements; it may also have what those before it left. */
const SHARES = {
  place: 5,
  probe: 40,
  poke: 20,
  doubles: 120,
  confirm: 120,
  silence: 60,
  prune: 120,
  forget: 30,
  keep: 60,
  watch: 60,
  follow: 220,
};
type Part = keyof typeof SHARES;

async function pass(deps: Deps): Promise<PassReport> {
  const startedAt = deps.now();
  const report = { ...NOTHING_DONE };
  const shares = new Map(
    Object.entries(SHARES).map(([part, statements]) => [part, deps.budget.share(statements)]),
  );
  // Each part by itself: what goes wrong in one is no reason to leave out the others.
  const attempt = async (part: Part, work: (deps: Deps) => Promise<void>) => {
    const share = shares.get(part) ?? deps.budget;
    try {
      await work(onShare(deps, share));
    } catch (error) {
      if (isOutOfStatements(error)) deps.log.info("a part of the cron's pass goes on in the next", { part });
      else {
        const said = `${part}: ${errorText(error)}`;
        report.error = report.error === null ? said : `${report.error}; ${said}`;
        deps.log.error("a part of the cron's pass failed; the next pass goes on", {
          part,
          error: errorText(error),
        });
      }
    } finally {
      share.close();
    }
  };
  // First of all: a pass that fails, or must not pull, is to leave the place where it was.
  await attempt("place", async ({ db }) => {
    report.nextPullId = await lastPull(db);
  });
  const whileUp = async (part: Part, work: (deps: Deps) => Promise<void>) => {
    if (deps.config.enabled && report.probe !== "open") await attempt(part, work);
    else shares.get(part)?.close();
  };
  await attempt("probe", async (own) => {
    if (!deps.config.enabled) return;
    report.probe = await probe(own);
    // Not only when it closes just now: the pokes of an earlier wake may be lost, or not have been enough.
    if ((await readBreaker(own))?.state !== "open") await wake(own);
  });
  await attempt("poke", async (own) => {
    report.pokedTrials = await pokeBehind(own);
  });
  await whileUp("doubles", async (own) => {
    const doubles = await deleteDoubles(own);
    report.settledCreates = doubles.checked;
    report.deletedDoubles = doubles.deleted;
  });
  await whileUp("confirm", async (own) => {
    const confirmed = await confirmDelivered(own);
    report.confirmedTrials = confirmed.confirmed;
    report.resentTrials = confirmed.sentAgain;
  });
  await attempt("silence", async (own) => {
    report.orphanedTrials = await closeOrphans(own);
    report.quietTrials = await findQuiet(own);
  });
  await whileUp("prune", async (own) => {
    const retired = await retire(own);
    report.retiredTrials = retired.trials;
    report.prunedRows = retired.rows;
  });
  await attempt("forget", async (own) => {
    report.forgottenRows = (await forgetOld(own)) + (await forgetRefusals(own.db, own.now()));
  });
  await attempt("keep", async (own) => {
    report.pokedJobs = await pokeDueJobs(own);
    report.summarizedModelRuns = await summarizeModelRuns(own);
    await pruneJobs(own.db, own.now(), MAX_PRUNED_JOBS);
    report.prunedHistoryPages = await pruneHistory(own);
  });
  await whileUp("watch", async (own) => {
    report.watchedExperiments = await pullWatched(own);
  });
  await whileUp("follow", (own) => follow(own, report));
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
