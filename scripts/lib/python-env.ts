import { join, resolve } from "node:path";

/** Beside the virtual environments, so that no folder of the repository gets compiled code. */
const COMPILED = join(resolve(import.meta.dirname, "../.."), ".venv", "compiled");

/**
 * The environment of a Python that imports MLflow: this process's own, without telemetry and git. What is imported is
 * compiled once and kept, also where the machine asks Python to keep nothing: MLflow takes seconds to compile.
 * @param more wins over both
 */
export function pythonEnv(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return Object.assign(
    { ...process.env },
    {
      MLFLOW_DISABLE_TELEMETRY: "true",
      DO_NOT_TRACK: "true",
      GIT_PYTHON_REFRESH: "quiet",
      PYTHONPYCACHEPREFIX: COMPILED,
      PYTHONDONTWRITEBYTECODE: "",
    },
    more,
  );
}
