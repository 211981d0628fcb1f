import type { Context } from "hono";
import { MAX_REQUEST_BYTES } from "../domain/limits.ts";
import type { Scope } from "../domain/words.ts";
import type { Deps } from "../relay/deps.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { readBytes } from "../routes/door/request-bytes.ts";
import { runAnswer, runInfoAnswer } from "./answer-json.ts";
import { getRun } from "./get-run.ts";
import { deleteTag, logBatch, logMetric, logParameter, setTag } from "./log.ts";
import { type Raw, readBody } from "./requests/body.ts";
import { readDeleteTag, readLogBatch, readLogMetric, readLogParam, readSetTag } from "./requests/logging.ts";
import { readCreateRun, readGetRun, readRunId, readUpdateRun } from "./requests/runs.ts";
import { makeRun, setRunLifecycle, updateRun } from "./runs.ts";

/** An endpoint of MLflow's: what is answered is the body of a 200, or a response of its own. */
export type GatewayRoute = {
  methods: readonly ("GET" | "POST")[];
  path: string;
  scope: Scope;
  answer: (c: Context<AppEnv>) => Promise<object>;
};

/** A write: its body is read by MLflow's rules. */
function post<T>(
  path: string,
  read: (body: Raw) => T,
  write: (deps: Deps, asked: T) => Promise<object>,
): GatewayRoute {
  return {
    methods: ["POST"],
    path: `/2.0/mlflow/${path}`,
    scope: "ingest",
    answer: async (c) => write(c.var.relay, read(await bodyOf(c))),
  };
}

/** The same where an empty object says that it was taken. */
function take<T>(
  path: string,
  read: (body: Raw) => T,
  write: (deps: Deps, asked: T) => Promise<void>,
): GatewayRoute {
  return post(path, read, async (deps, asked) => {
    await write(deps, asked);
    return {};
  });
}

function get<T>(
  path: string,
  read: (query: URLSearchParams) => T,
  answer: (deps: Deps, asked: T) => Promise<object>,
): GatewayRoute {
  return {
    methods: ["GET"],
    path: `/2.0/mlflow/${path}`,
    scope: "read",
    answer: (c) => answer(c.var.relay, read(new URL(c.req.url).searchParams)),
  };
}

async function bodyOf(c: Context<AppEnv>): Promise<Raw> {
  return readBody(c.req.header("content-type") ?? null, await readBytes(c, MAX_REQUEST_BYTES));
}

/** What is answered here, up or down alike. */
export const ROUTES: readonly GatewayRoute[] = [
  post("runs/create", readCreateRun, async (deps, asked) => runAnswer(await makeRun(deps, asked))),
  get("runs/get", readGetRun, async (deps, { runId }) => runAnswer(await getRun(deps, runId))),
  post("runs/update", readUpdateRun, async (deps, { runId, ...update }) =>
    runInfoAnswer(await updateRun(deps, runId, update)),
  ),
  take("runs/delete", readRunId, (deps, { runId }) => setRunLifecycle(deps, runId, "deleted")),
  take("runs/restore", readRunId, (deps, { runId }) => setRunLifecycle(deps, runId, "active")),
  take("runs/log-metric", readLogMetric, logMetric),
  take("runs/log-parameter", readLogParam, logParameter),
  take("runs/log-batch", readLogBatch, logBatch),
  take("runs/set-tag", readSetTag, setTag),
  take("runs/delete-tag", readDeleteTag, deleteTag),
];
