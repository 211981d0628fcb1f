import { spawn } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { withLock } from "./lock.ts";
import { findPython } from "./python.ts";

/** The newest MLflow 3 and the last MLflow 2: requirements/mlflow-3.txt and requirements/mlflow-2.txt pin them. */
export type MlflowVersion = "3" | "2";

const ROOT = resolve(import.meta.dirname, "../..");
const NEWEST_PYTHON_MINOR: Record<MlflowVersion, number> = { "3": Number.POSITIVE_INFINITY, "2": 13 };
const REPORT_EVERY_MS = 3000;
const TAIL_CHARS = 2000;

/**
 * Installs the pinned MLflow into `.venv/mlflow-<version>` of this repository, once: later calls return at once, and
 * a second process waits for the first.
 * @param report receives a line of progress at least every 3 s while something is going on
 * @returns the path of the environment's python
 * @throws Error if no fitting Python is found, or with the end of pip's output if pip fails
 */
export async function ensureMlflow(
  version: MlflowVersion,
  report: (line: string) => void = () => {},
): Promise<string> {
  const venv = join(ROOT, ".venv", `mlflow-${version}`);
  const python = join(venv, "bin", "python");
  const marker = join(venv, "installed.txt"); // holds the requirements that were installed, written last
  const file = join(ROOT, "requirements", `mlflow-${version}.txt`);
  const wanted = await readFile(file, "utf8");
  const isInstalled = async () => (await readFile(marker, "utf8").catch(() => null)) === wanted;
  if (await isInstalled()) return python;

  const said = throttle(report, REPORT_EVERY_MS);
  await withLock(
    `${venv}.lock`,
    async () => {
      if (await isInstalled()) return;
      const base = await findPython(NEWEST_PYTHON_MINOR[version]);
      report(`Installing MLflow ${version} into .venv/mlflow-${version} (about a minute, only once)`);
      await rm(venv, { recursive: true, force: true });
      await execute(base, ["-m", "venv", venv], report);
      const pip = [
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--progress-bar",
        "off",
        // Most of it is never imported; what is, Python compiles then.
        "--no-compile",
        "-r",
        file,
      ];
      await execute(python, pip, report);
      await writeFile(marker, wanted);
      report(`Installed MLflow ${version}`);
    },
    () => said("Waiting for another process that is installing MLflow"),
  );
  return python;
}

/** Runs a command to its end; repeats its latest line every few seconds, so that a long silence is never a doubt. */
async function execute(command: string, args: string[], report: (line: string) => void): Promise<void> {
  const started = Date.now();
  let output = "";
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-TAIL_CHARS);
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const heartbeat = setInterval(() => {
    const latest = output.trimEnd().split("\n").at(-1)?.trim().slice(0, 100) ?? "";
    report(`  ${Math.round((Date.now() - started) / 1000)} s: ${latest || "working"}`);
  }, REPORT_EVERY_MS);
  try {
    const code = await new Promise<number | null>((done, fail) => {
      child.once("error", fail);
      child.once("close", done);
    });
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed (${code}):\n${output.trim()}`);
  } finally {
    clearInterval(heartbeat);
  }
}

function throttle(report: (line: string) => void, everyMs: number): (line: string) => void {
  let last = 0;
  return (line) => {
    if (Date.now() - last < everyMs) return;
    last = Date.now();
    report(line);
  };
}
