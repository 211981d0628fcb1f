import { table } from "../test/chaos/table.ts";
import type { acknowledgement } from "./acknowledgement.ts";
import type { kindness } from "./kindness.ts";

type Speed = {
  acknowledgement: Awaited<ReturnType<typeof acknowledgement>>;
  kindness: Awaited<ReturnType<typeof kindness>>;
};

/** The relay beside bare MLflow, in markdown. */
export function speedTables({ acknowledgement: acknowledged, kindness: calls }: Speed): string {
  const latency = (what: string, of: Speed["acknowledgement"]["relay_single"]) => ({
    "one connection, one call after the other": what,
    "p50, ms": of.p50_ms,
    "p99, ms": of.p99_ms,
    "events a second": of.events_per_second,
  });
  return [
    "## Beside bare MLflow",
    "The same MLflow in the same run. Of the time to acknowledge, about 4 ms are `wrangler dev` itself.",
    table([
      latency("MLflow, `log-metric`", acknowledged.mlflow_log_metric),
      latency("relay, one event a request", acknowledged.relay_single),
      latency("relay, 100 events a request", acknowledged.relay_batches_of_100),
    ]),
    "MLflow's calls, the model run's own included; sent one by one, metrics wait two seconds for company and no longer, so that a longer `RELAY_GATHER_WINDOW_SECONDS` makes it fewer.",
    table([
      {
        "events of one metric, sent": "100 a request",
        "MLflow calls for 1,000": calls.sent_in_batches_of_100.calls_per_1000_events,
      },
      {
        "events of one metric, sent": "one by one",
        "MLflow calls for 1,000": calls.sent_one_by_one.calls_per_1000_events,
      },
    ]),
  ].join("\n\n");
}
