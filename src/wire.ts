import { configOf } from "./config.ts";
import { consoleLog, type LogFields } from "./log.ts";
import { createMlflowClient } from "./mlflow/client.ts";
import type { MlflowDeps } from "./mlflow/http.ts";
import type { Deps } from "./relay/deps.ts";
import { BreakerGuard } from "./relay/line/guard.ts";
import { remembered } from "./remembered.ts";
import { Budget } from "./store/database/budget.ts";
import { counted } from "./store/database/counted.ts";
import { Tally } from "./store/ops/counters.ts";

/** One for all of an isolate's invocations: what one of them cannot write down the next one does. */
const counts = remembered(() => new Tally());

/** The guard looks at the breaker at most once a second, and a turn must not end because others took all there is. */
const GUARD_STATEMENTS = 60;

/**
 * The real effects of one invocation, put together from the Worker's environment.
 * @param fetchMlflow what carries calls to MLflow: the way into a private network, where one is bound
 * @throws ConfigError for a wrong setting
 */
export function wire(
  env: Env,
  logFields: LogFields,
  fetchMlflow: MlflowDeps["fetch"] = (url, init) => (env.MLFLOW_VPC ?? globalThis).fetch(url, init),
): Deps {
  const config = configOf(env);
  const log = consoleLog(logFields);
  const now = () => Date.now();
  const tally = counts.value;
  const budget = Budget.ofInvocation(now);
  const guard = new BreakerGuard({
    db: counted(env.DB, budget.share(GUARD_STATEMENTS), Math.random),
    config,
    now,
  });
  const observe: MlflowDeps["observe"] = ({ kind }) =>
    tally.add(`relay_mlflow_calls_total{outcome="${kind}"}`);
  const effects = { fetch: fetchMlflow, now, observe };
  const mlflow = createMlflowClient(config.mlflow, { ...effects, admit: () => guard.admit() });
  return {
    db: counted(env.DB, budget, Math.random),
    budget,
    trials: env.TRIALS,
    jobs: env.JOBS,
    files: env.FILES,
    // Bound in wrangler.toml as shipped; a deployment may be without.
    bucket: env.ARTIFACTS ?? null,
    mlflow,
    writes: mlflow,
    direct: createMlflowClient(config.mlflow, effects),
    guard,
    config,
    now,
    random: Math.random,
    log,
    tally,
  };
}
