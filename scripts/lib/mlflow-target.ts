import { parseConfig, withoutCredentials } from "../../src/config.ts";
import { readTarget, type Target } from "../../src/mlflow/target.ts";

/** None of the relay's callers is let in here, and its settings ask for a token. */
const NO_CALLERS = { ADMIN_TOKEN: "of-no-matter-to-mlflow" };

type Vars = Readonly<Record<string, string | undefined>>;

/**
 * Where MLflow is and with what it lets us in, by the relay's own rules, from the variables that the relay itself uses.
 * @throws ConfigError for a wrong one
 */
export function mlflowTarget(vars: Vars): Target {
  const its = Object.entries(vars).filter(([name]) => /^MLFLOW_/.test(name));
  const target = readTarget(parseConfig({ ...Object.fromEntries(its), ...NO_CALLERS }).mlflow);
  if (!target.ok) throw new Error(target.failure.message);
  return target.value;
}

/**
 * The same of the server that a running relay says is its own.
 * @param local the relay's variables
 * @param shell this process's: with another address they are for something else, such as a training by the relay
 */
export function targetOf(server: string, local: Vars, shell: Vars): Target {
  const isIts = ({ MLFLOW_TRACKING_URI: uri = "" }: Vars) =>
    withoutCredentials(uri).replace(/\/+$/, "") === server;
  const vars = !shell.MLFLOW_TRACKING_URI || isIts(shell) ? { ...local, ...shell } : local;
  return mlflowTarget(isIts(vars) ? vars : { ...vars, MLFLOW_TRACKING_URI: server });
}
