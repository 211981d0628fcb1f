import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Minor versions of Python 3. MLflow needs 3.10; MLflow 2's pinned dependencies have no builds after 3.13. */
const OLDEST_MINOR = 10;
const COMMANDS = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

const PROBE = `
import sys, importlib.util as u
print(sys.version_info.major, sys.version_info.minor, int(bool(u.find_spec("venv") and u.find_spec("ensurepip"))))
`;

type Python = { command: string; major: number; minor: number; hasVenv: boolean };

async function probe(command: string): Promise<Python | null> {
  try {
    const { stdout } = await run(command, ["-c", PROBE], { timeout: 20_000 });
    const [major, minor, hasVenv] = stdout.trim().split(" ").map(Number);
    if (major === undefined || minor === undefined) return null;
    return { command, major, minor, hasVenv: hasVenv === 1 };
  } catch {
    return null; // not installed, or not runnable
  }
}

/**
 * Finds a Python 3 that can make virtual environments: `$PYTHON` if set, else the usual commands on the PATH.
 * @param newestMinor the newest 3.x that is acceptable, `Infinity` for no limit
 * @returns the command
 * @throws Error saying what is missing: Python itself, a fitting version, or its venv module
 */
export async function findPython(newestMinor: number): Promise<string> {
  const wanted = Number.isFinite(newestMinor)
    ? `3.${OLDEST_MINOR} to 3.${newestMinor}`
    : `3.${OLDEST_MINOR} or newer`;
  const found: Python[] = [];
  for (const command of process.env.PYTHON ? [process.env.PYTHON] : COMMANDS) {
    const python = await probe(command);
    if (!python) continue;
    found.push(python);
    const fits = python.major === 3 && python.minor >= OLDEST_MINOR && python.minor <= newestMinor;
    if (fits && python.hasVenv) return command;
    if (fits) {
      throw new Error(
        `Python 3.${python.minor} (${command}) has no venv module. On Debian and Ubuntu: apt install python3.${python.minor}-venv`,
      );
    }
  }
  if (found.length === 0) {
    throw new Error(
      `MLflow needs Python ${wanted}, and none was found. Install it, or set PYTHON to its path.`,
    );
  }
  const list = found.map((p) => `${p.command} is ${p.major}.${p.minor}`).join(", ");
  throw new Error(`MLflow needs Python ${wanted}: ${list}. Install one, or set PYTHON to its path.`);
}
