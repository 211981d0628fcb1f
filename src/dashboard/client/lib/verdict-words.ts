import type { Verified } from "../../../answers/report.ts";

/** A verdict in a line: what was compared, and what was found to differ. */
export function verdictWords({ verdict, report }: Pick<Verified, "verdict" | "report">): string {
  if (verdict === null || report === null) return "MLflow has nothing of it to compare.";
  const { points, params, tags, state, run, double_runs: doubles } = report;
  if (run.state !== "active") return `Its run in MLflow is ${run.state}.`;
  const compared = `${points.compared} points, ${params.compared} parameters and ${tags.compared} tags compared`;
  if (verdict === "confirmed") return `Confirmed: ${compared}, and all are there.`;
  const found = [
    [points.missing, "points missing"],
    [points.extra, "points that nobody sent"],
    [points.different, "points different"],
    [points.doubled, "points doubled"],
    [params.missing.count + tags.missing.count, "parameters and tags missing"],
    [params.different.count + tags.different.count, "parameters and tags different"],
    [state?.length ?? 0, "of status, name and times different"],
    [doubles?.length ?? 0, "other runs with the same ids"],
  ] as const;
  const differing = found.filter(([count]) => count > 0).map(([count, words]) => `${count} ${words}`);
  return `MLflow differs: ${differing.join(", ")} (${compared}).`;
}
