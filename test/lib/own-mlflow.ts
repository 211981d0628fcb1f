import { type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import { programArguments } from "./python-host.ts";

/** Starts `mlflow server` as `startMlflow` does, forked by the host of Python programs where there is one. */
export function startOwnMlflow(options: {
  port: number;
  dataDir: string;
  store?: string;
}): Promise<MlflowServer> {
  return startMlflow({ ...options, argumentsOf: (args) => programArguments("3", args) });
}
