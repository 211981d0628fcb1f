import { configOf } from "./config.ts";
import { consoleLog, type LogFields } from "./log.ts";
import { createMlflowClient } from "./mlflow/client.ts";
import type { Deps } from "./relay/deps.ts";
import { Tally } from "./store/counters.ts";

/** One for all of an isolate's invocations: what one of them cannot write down the next one does. */
const tally = new Tally();

/**
 * The real effects, put together from the Worker's environment.
 * @throws ConfigError for a wrong setting
 */
export function wire(env: Env, logFields: LogFields): Deps {
  const config = configOf(env);
  const log = consoleLog(logFields);
  const now = () => Date.now();
  return {
    db: env.DB,
    trials: env.TRIALS,
    jobs: env.JOBS,
    mlflow: createMlflowClient(config.mlflow, {
      fetch: (url, init) => fetch(url, init),
      now,
      observe: ({ kind }) => tally.add(`relay_mlflow_calls_total{outcome="${kind}"}`),
    }),
    config,
    now,
    random: Math.random,
    log,
    tally,
  };
}
