import type { JournalEvent } from "../../domain/types.ts";
import {
  type StaleSummary,
  SUMMARY_TAGS,
  staleSummaries,
  type TrialCounts,
} from "../../store/journal/summaries.ts";
import type { Deps } from "../deps.ts";
import { ingest } from "../intake/ingest.ts";
import { relayEvent } from "../intake/own-event.ts";

/**
 * Keeps the parent runs' summary tags current: how many trials a model run has, by status. Each that has changed is
 * said once in the model run's journal, so that it is delivered like everything else; what has not changed is not.
 * @returns how many model runs got a new summary
 */
export async function summarizeModelRuns(deps: Deps): Promise<number> {
  if (!deps.config.parentRuns) return 0;
  const now = deps.now();
  const stale = await staleSummaries(deps.db);
  if (stale.length > 0)
    await ingest(
      deps,
      stale.map((summary) => eventOf(summary, now)),
    );
  return stale.length;
}

function eventOf({ key, modelRunId, counts }: StaleSummary, now: number): JournalEvent {
  return relayEvent(
    { key, kind: "model_run", modelRunId, trialId: null },
    {
      type: "relay.summary",
      id: `relay:summary:${now}`,
      facts: { tags: tagsOf(counts) },
      acceptedAt: now,
    },
  );
}

function tagsOf(counts: TrialCounts): Record<string, string> {
  return {
    [SUMMARY_TAGS.total]: String(counts.total),
    [SUMMARY_TAGS.running]: String(counts.running),
    [SUMMARY_TAGS.succeeded]: String(counts.succeeded),
    [SUMMARY_TAGS.failed]: String(counts.failed),
    [SUMMARY_TAGS.skipped]: String(counts.skipped),
    [SUMMARY_TAGS.cancelled]: String(counts.cancelled),
  };
}
