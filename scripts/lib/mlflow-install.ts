import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { execute, REPORT_EVERY_MS } from "./execute.ts";
import { withLock } from "./lock.ts";
import { findPython } from "./python.ts";
import { installPackages, requirementsFile } from "./python-packages.ts";

/** The newest MLflow 3 and the last MLflow 2: requirements/mlflow-3.txt and requirements/mlflow-2.txt pin them. */
export type MlflowVersion = "3" | "2";

const ROOT = resolve(import.meta.dirname, "../..");
const NEWEST_PYTHON_MINOR: Record<MlflowVersion, number> = { "3": Number.POSITIVE_INFINITY, "2": 13 };

/**
 * Installs the pinned MLflow into `.venv/mlflow-<version>` of this repository, once: later calls return at once, and
 * a second process waits for the first.
 * @param report receives a line of progress at least every 3 s while something is going on
 * @returns the path of the environment's python
 * @throws Error if no fitting Python is found, or with the end of pip's output if it cannot be installed
 */
export async function ensureMlflow(
  version: MlflowVersion,
  report: (line: string) => void = () => {},
): Promise<string> {
  const venv = join(ROOT, ".venv", `mlflow-${version}`);
  const python = join(venv, "bin", "python");
  const marker = join(venv, "installed.txt"); // holds the requirements that were installed, written last
  const file = requirementsFile(`mlflow-${version}`);
  const wanted = await readFile(file, "utf8");
  const isInstalled = async () => (await readFile(marker, "utf8").catch(() => null)) === wanted;
  if (await isInstalled()) return python;

  const said = throttle(report, REPORT_EVERY_MS);
  await withLock(
    `${venv}.lock`,
    async () => {
      if (await isInstalled()) return;
      const base = await findPython(NEWEST_PYTHON_MINOR[version]);
      report(`Installing MLflow ${version} into .venv/mlflow-${version} (up to a minute, only once)`);
      // What an installation that was stopped has started may go on in it for a moment.
      await rm(venv, { recursive: true, force: true, maxRetries: 10 });
      await execute(base, ["-m", "venv", venv], report);
      await installPackages(python, file, report);
      await writeFile(marker, wanted);
      report(`Installed MLflow ${version}`);
    },
    () => said("Waiting for another process that is installing MLflow"),
  );
  return python;
}

function throttle(report: (line: string) => void, everyMs: number): (line: string) => void {
  let last = 0;
  return (line) => {
    if (Date.now() - last < everyMs) return;
    last = Date.now();
    report(line);
  };
}
