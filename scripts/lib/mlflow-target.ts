import { parseConfig } from "../../src/config.ts";
import { readTarget, type Target } from "../../src/mlflow/target.ts";

/** None of the relay's callers is let in here, and its settings ask for a token. */
const NO_CALLERS = { ADMIN_TOKEN: "of-no-matter-to-mlflow" };

/**
 * Where MLflow is and with what it lets us in, by the relay's own rules, from the variables that the relay itself uses.
 * @throws ConfigError for a wrong one
 */
export function mlflowTarget(vars: Readonly<Record<string, string | undefined>>): Target {
  const its = Object.entries(vars).filter(([name]) => /^MLFLOW_/.test(name));
  const target = readTarget(parseConfig({ ...Object.fromEntries(its), ...NO_CALLERS }).mlflow);
  if (!target.ok) throw new Error(target.failure.message);
  return target.value;
}
