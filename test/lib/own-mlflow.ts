import { type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import { programArguments } from "./python-host.ts";

/** A line in the log for each call takes a tenth of its time, and the tests' proxies remember all calls. */
const QUIETLY = ["--uvicorn-opts", "--no-access-log"];

/** Starts `mlflow server` as `startMlflow` does, forked by the host of Python programs where there is one. */
export function startOwnMlflow(options: {
  port: number;
  dataDir: string;
  store?: string;
  workers?: number;
  workspaces?: boolean;
}): Promise<MlflowServer> {
  return startMlflow({ ...options, argumentsOf: (args) => programArguments("3", [...args, ...QUIETLY]) });
}
