import type { Counts } from "../../store/ops/counters.ts";
import { type Family, type Labels, parseSeries, type Sample } from "./prometheus.ts";

/** The counters that are known by name. Those named in `from` are shown from the start, at 0. */
const KNOWN: Record<string, { help: string; from: readonly Labels[] }> = {
  relay_events_total: {
    help: "Events received, by what the journal made of them.",
    from: [
      { outcome: "accepted" },
      { outcome: "duplicate" },
      { outcome: "conflict" },
      { outcome: "refused" },
    ],
  },
  relay_refusals_total: { help: "Requests and events refused, by error and field.", from: [] },
  relay_events_delivered_total: { help: "Events that MLflow has all of.", from: [{}] },
  relay_mlflow_calls_total: { help: "Calls to MLflow by outcome.", from: [{ outcome: "ok" }] },
  relay_retries_total: { help: "Times that a trial waited to try again after a failed call.", from: [{}] },
  relay_ghost_runs_total: {
    help: "Runs of MLflow clients that never reach MLflow: the answer to their creation was lost, and another was made for them.",
    from: [{}],
  },
  relay_jobs_ended_total: {
    help: "Jobs that are over, by how they ended.",
    from: [{ state: "succeeded" }, { state: "failed" }, { state: "cancelled" }],
  },
  relay_artifacts_total: {
    help: "Files kept, and files brought to MLflow or deleted there.",
    from: [{ outcome: "kept" }, { outcome: "handed_over" }],
  },
  relay_cron_passes_total: { help: "Passes of the cron.", from: [{}] },
};

const UNKNOWN_HELP = "Counted by the relay.";

/** The counters of the database as families, the known ones first. */
export function counterFamilies(counts: Counts): Family[] {
  const known = Object.entries(KNOWN).flatMap(([name, { from }]) =>
    from.map((labels) => ({ name, labels, value: 0 })),
  );
  const stored = Object.entries(counts).flatMap(([text, value]) => {
    const series = parseSeries(text);
    return series === null ? [] : [{ ...series, value }];
  });
  const byFamily = Map.groupBy([...known, ...stored], (sample) => sample.name);
  return [...byFamily].map(([name, samples]) => ({
    name,
    type: "counter",
    help: KNOWN[name]?.help ?? UNKNOWN_HELP,
    samples: lastOfEach(samples),
  }));
}

/** One sample a series: what was counted stands in for the 0 it starts from. */
function lastOfEach(samples: readonly Sample[]): Sample[] {
  const bySeries = new Map(samples.map((sample) => [JSON.stringify(sample.labels), sample]));
  return [...bySeries.values()];
}
