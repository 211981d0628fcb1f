import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take far longer than their size says, the longest first: they begin before the others of their project, so
 * that at its end no worker is left alone with one of them.
 */
const LONG = [
  "worker/crash-points",
  "worker/fence",
  "worker/odd-answers",
  "worker/gateway-crash",
  "worker/seats-troubled",
  "worker/seats",
  "worker/swallowed",
  "worker/limits",
  "worker/gateway-model-delivery",
  "worker/pull-large",
  "worker/metric-chunks",
  "e2e/gateway-client-2",
  "e2e/gateway-client-3",
  "e2e/models-client-3",
  "e2e/chaos",
  "e2e/gateway-delivery",
  "e2e/crash",
  "e2e/postgres",
  "e2e/artifact-hand-over",
  "e2e/exactly-once",
  "e2e/merge",
  "e2e/gateway-transcript",
  "e2e/outage",
  "e2e/client-files",
  "e2e/passed-on",
  "e2e/pull",
  "e2e/gateway-search",
  "e2e/mlflow-client",
  "e2e/search-results",
  "e2e/set-back",
].map((name) => `/test/${name}.test.ts`);

function rankOf({ moduleId }: TestSpecification): number {
  const rank = LONG.findIndex((name) => moduleId.endsWith(name));
  return rank < 0 ? LONG.length : rank;
}

/** The order in which files begin: the long ones, then as vitest has it. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const groupOf = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => groupOf(a) - groupOf(b) || rankOf(a) - rankOf(b));
  }
}
