import { expect, test } from "vitest";
import { type Standing, statusLine } from "../../../src/dashboard/client/lib/status-line.ts";

const NOW = Date.UTC(2026, 10, 26, 12);
const well: Standing = { mlflow: "well", behind: 0, oldest_at: null, troubles: 0 };
const at = (ms: number) => new Date(NOW - ms).toISOString();

test.each<[string, Partial<Standing>, string, string]>([
  ["all is well", {}, "MLflow has everything", "good"],
  ["something is on its way", { behind: 3, oldest_at: at(2_000) }, "3 behind", "waiting"],
  ["it has waited", { behind: 3, oldest_at: at(42_500) }, "3 behind since 42 s", "waiting"],
  ["for minutes", { behind: 1, oldest_at: at(7_199_000) }, "1 behind since 119 min", "waiting"],
  ["for hours", { behind: 1, oldest_at: at(7_200_000) }, "1 behind since 2 h", "waiting"],
  ["MLflow is away", { mlflow: "away", behind: 2, oldest_at: at(1) }, "MLflow is away, 2 behind", "bad"],
  ["it is switched off", { mlflow: "off" }, "MLflow is off", "waiting"],
  ["somebody should look", { troubles: 4 }, "4 to look at", "bad"],
  ["the clocks differ", { behind: 1, oldest_at: at(-60_000) }, "1 behind", "waiting"],
])("%s", (_, standing, text, kind) => {
  expect(statusLine({ ...well, ...standing }, NOW)).toEqual({ text, kind });
});
