import { type Content, type HeldModel, type HeldRun, sorted } from "./content.ts";

/** The trainings' own times are long past; what is later came from a clock. */
const LATEST_OWN_MS = 1_700_001_000_000;
const CLOCK = "by the clock";
/** As MLflow names runs that nobody named. */
const GENERATED_NAME = /^[a-z]+-[a-z]+-\d+$/;
/** Files with ids or times in them, written otherwise each time, or drawn for people. */
const OWN_BYTES = /(^|\/)(MLmodel|cv_results\.csv|estimator\.html)$|\.(skops|pkl|png)$/;

/** The same, without what comes from a clock or a machine: two trainings of the same script then have the same. */
export function withoutClock({ experiments, runs, models }: Content): Content {
  return {
    experiments,
    runs: sorted(runs.map(runWithoutClock)),
    models: sorted(models.map(modelWithoutClock)),
  };
}

function runWithoutClock(run: HeldRun): HeldRun {
  return {
    ...run,
    name: plainName(run.name),
    startTime: time(run.startTime),
    endTime: time(run.endTime),
    tags: Object.fromEntries(
      Object.entries(run.tags).map(([key, value]) => {
        if (key === "mlflow.source.git.commit") return [key, "of this repository"];
        if (key === "mlflow.runName") return [key, plainName(value)];
        return [key, /^datetime_/.test(key) ? CLOCK : value];
      }),
    ),
    points: [...new Set(run.points.map(pointWithoutClock))].sort(),
    files: plainFiles(run.files),
  };
}

function modelWithoutClock({ points, run, files, ...model }: HeldModel): HeldModel {
  const plain = points.map((one) => ({ run: plainName(one.run), point: pointWithoutClock(one.point) }));
  return {
    ...model,
    run: plainName(run),
    points: sorted(plain).filter((one, i, all) => JSON.stringify(one) !== JSON.stringify(all[i - 1])),
    files: plainFiles(files),
  };
}

function plainName<N extends string | null>(name: N): N | string {
  return GENERATED_NAME.test(name ?? "") ? "generated" : name;
}

function plainFiles(files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files).map(([path, sha256]) => [path, OWN_BYTES.test(path) ? "its bytes" : sha256]),
  );
}

function time(at: number | string | null): number | string | null {
  return typeof at === "number" && at > LATEST_OWN_MS ? CLOCK : at;
}

function pointWithoutClock(point: string): string {
  if (point.startsWith("system/")) return point.replace(/ #.*/, "");
  const timed = point.replace(/@(\d+)/, (text, at) => (Number(at) > LATEST_OWN_MS ? `@${CLOCK}` : text));
  return /_time #/.test(timed) ? timed.replace(/=.*/, `= ${CLOCK}`) : timed;
}
