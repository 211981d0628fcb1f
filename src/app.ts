import { Hono } from "hono";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { ConfigError } from "./config.ts";
import { shortened } from "./domain/shown.ts";
import { type Failure, HttpFailure, problemResponse } from "./errors.ts";
import { consoleLog, errorText } from "./log.ts";
import { flushTally } from "./relay/flush-tally.ts";
import { artifacts } from "./routes/artifacts.ts";
import { backfill } from "./routes/backfill.ts";
import { blocked } from "./routes/blocked.ts";
import { conflicts } from "./routes/conflicts.ts";
import type { AppEnv } from "./routes/context.ts";
import { deadLetters } from "./routes/dead-letters.ts";
import { docs } from "./routes/docs.ts";
import { events } from "./routes/events.ts";
import { experiments } from "./routes/experiments.ts";
import { health } from "./routes/health.ts";
import { jobs } from "./routes/jobs.ts";
import { ledger } from "./routes/ledger.ts";
import { methodsOf } from "./routes/methods.ts";
import { metrics } from "./routes/metrics.ts";
import { modelRuns } from "./routes/model-runs.ts";
import { areTracesDue, flushTraces, noteRefusal } from "./routes/note-refusal.ts";
import { ops } from "./routes/ops.ts";
import { refusals } from "./routes/refusals.ts";
import { rename } from "./routes/rename.ts";
import { runs } from "./routes/runs.ts";
import { sync } from "./routes/sync.ts";
import { tokens } from "./routes/tokens.ts";
import { trials } from "./routes/trials.ts";
import { verdicts, verify } from "./routes/verify.ts";
import { watches } from "./routes/watches.ts";
import { wire } from "./wire.ts";

const SHOWN_PATH_CHARS = 200;

/** The HTTP side: middleware in order, one sub-app a resource, one place where failures become answers. */
export const app = new Hono<AppEnv>({ strict: false });

app.use(requestId());
app.use(secureHeaders());
app.use(async (c, next) => {
  c.set("relay", wire(c.env, { request_id: c.var.requestId }));
  await next();
  // Once more: an answer that a handler made by itself does not have it yet.
  c.header("x-request-id", c.var.requestId);
  // Counts may wait and may even be lost; nothing that was acknowledged is ever left to this.
  if (areTracesDue(c.var.relay.now())) c.executionCtx.waitUntil(flushTraces(c.var.relay));
  if (c.var.relay.tally.isDue(c.var.relay.now())) c.executionCtx.waitUntil(flushTally(c.var.relay));
  if (c.res.status >= 400) {
    const path = shortened(c.req.path, SHOWN_PATH_CHARS);
    c.var.relay.log.warn("request refused", { method: c.req.method, path, status: c.res.status });
  }
});

app.route("/", health);
app.route("/", metrics);
app.route("/", docs);
app.route("/api/events", events);
app.route("/api/model-runs", modelRuns);
app.route("/api/trials", ledger);
app.route("/api/trials", verdicts);
app.route("/api/trials", trials);
app.route("/api/experiments", rename);
app.route("/api/experiments", experiments);
app.route("/api/runs", artifacts);
app.route("/api/runs", runs);
app.route("/api/sync/jobs", jobs);
app.route("/api/sync/watches", watches);
app.route("/api/sync", sync);
app.route("/api/ops/tokens", tokens);
app.route("/api/ops/dead-letters", deadLetters);
app.route("/api/ops/conflicts", conflicts);
app.route("/api/ops", refusals);
app.route("/api/ops", blocked);
app.route("/api/ops", verify);
app.route("/api/ops", backfill);
app.route("/api/ops", ops);

const allowedAt = methodsOf(app.routes);

app.notFound((c) => {
  const { method, path } = c.req;
  const allow = allowedAt(path);
  if (allow !== null && method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const failure: Failure =
    allow === null
      ? { kind: "not_found", detail: `There is nothing at ${method} ${shortened(path, SHOWN_PATH_CHARS)}.` }
      : { kind: "method_not_allowed", detail: `This address takes ${allow}, not ${method}.`, allow };
  return problemResponse(failure, c.var.requestId);
});

app.onError((error, c) => {
  if (error instanceof HttpFailure) {
    noteRefusal(c, error.failure, error.event);
    return problemResponse(error.failure, c.var.requestId);
  }
  if (error instanceof ConfigError) {
    consoleLog({ request_id: c.var.requestId }).error("the configuration is wrong", { error: error.message });
    return problemResponse({ kind: "misconfigured", detail: error.message }, c.var.requestId);
  }
  // The frames only: a database error begins with its query and the values in it.
  const stack = error.stack
    ?.split("\n")
    .filter((line) => line.startsWith("    at "))
    .join("\n");
  consoleLog({ request_id: c.var.requestId }).error("request failed", {
    path: c.req.path,
    error: errorText(error),
    stack,
  });
  return problemResponse({ kind: "internal" }, c.var.requestId);
});
