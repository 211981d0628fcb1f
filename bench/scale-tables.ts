import { table } from "../test/chaos/table.ts";
import type { Cost } from "./cost.ts";
import type { Stage } from "./scale.ts";
import { round } from "./stats.ts";

/** The figures of all stages side by side, in markdown. */
export function scaleTables(stages: readonly Stage[]): string {
  const behind = stages.map(
    ({ points, finishedTrials }) => `${points} points, ${finishedTrials} finished trials`,
  );
  /** A row for each figure of the first stage, with a cell for each stage. */
  const rows = (of: string, whats: readonly string[], cell: (stage: Stage, i: number) => string | number) =>
    table(
      whats.map((what, i) => ({
        [of]: what,
        ...Object.fromEntries(stages.map((stage, n) => [behind[n], cell(stage, i)])),
      })),
    );
  const [first] = stages;
  if (!first) return "";
  const names = (all: readonly { what: string }[]) => all.map(({ what }) => what);
  return [
    "## Over a long past",
    "The points came in by the door, with MLflow switched off, and were then marked as delivered; the finished trials were written by SQL. Each request 100 times, one after the other; the counts are those of one.",
    rows("answer, median and 99th percentile in ms", names(first.latencies), ({ latencies }, i) => {
      const { p50_ms = 0, p99_ms = 0 } = latencies[i] ?? {};
      return `${p50_ms}, ${p99_ms}`;
    }),
    rows(countedAs("request"), names(first.requests), ({ requests }, i) => counted(requests[i]?.cost)),
    rows(countedAs("turn"), names(first.turns), ({ turns }, i) => counted(turns[i]?.cost)),
    rows(countedAs("pass of the cron"), [first.pass.what], ({ pass }) => counted(pass.cost)),
    rows("database", ["MB"], ({ databaseMb }) => round(databaseMb, 0)),
  ].join("\n\n");
}

const countedAs = (of: string) => `${of}: statements / round trips / rows read / rows written`;

function counted(cost: Cost | undefined): string {
  if (!cost) return "";
  return [cost.statements, cost.roundTrips, cost.rowsRead, cost.rowsWritten].join(" / ");
}
