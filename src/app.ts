import { type Context, Hono } from "hono";
import { requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { ConfigError } from "./config.ts";
import { dashboardApp } from "./dashboard/app.tsx";
import { failurePage, wantsPage } from "./dashboard/errors.tsx";
import { shortened } from "./domain/shown.ts";
import { DATABASE_AWAY, type Failure, HttpFailure, problemResponse } from "./errors.ts";
import { gatewayApp } from "./gateway/app.ts";
import { consoleLog, errorText } from "./log.ts";
import { flushTally } from "./relay/deps.ts";
import { artifactRoutes } from "./routes/artifacts/handlers.ts";
import { blockedRoutes } from "./routes/blocked/handlers.ts";
import { conflictRoutes } from "./routes/conflicts/handlers.ts";
import { curveRoutes } from "./routes/curves/handlers.ts";
import { deadLetterRoutes } from "./routes/dead-letters/handlers.ts";
import { docsRoutes } from "./routes/docs/handlers.ts";
import type { AppEnv } from "./routes/door/context.ts";
import { drain } from "./routes/door/drain.ts";
import { methodsOf } from "./routes/door/methods.ts";
import { areTracesDue, flushTraces, noteRefusal } from "./routes/door/note-refusal.ts";
import { eventRoutes } from "./routes/events/handlers.ts";
import { findRoutes } from "./routes/find/handlers.ts";
import { mirrorRoutes } from "./routes/mirror/handlers.ts";
import { modelRunRoutes } from "./routes/model-runs/handlers.ts";
import { observeRoutes } from "./routes/observe/handlers.ts";
import { opsRoutes } from "./routes/ops/handlers.ts";
import { previewRoutes } from "./routes/previews/handlers.ts";
import { readBackRoutes } from "./routes/read-back/handlers.ts";
import { syncRoutes } from "./routes/sync/handlers.ts";
import { tokenRoutes } from "./routes/tokens/handlers.ts";
import { trialTableRoutes } from "./routes/trial-table/handlers.ts";
import { trialRoutes } from "./routes/trials/handlers.ts";
import { uploadRoutes } from "./routes/uploads/handlers.ts";
import { watchRoutes } from "./routes/watches/handlers.ts";
import { isDatabaseAway } from "./store/database/transient.ts";
import { wire } from "./wire.ts";

const SHOWN_PATH_CHARS = 200;
const NO_DATABASE: Failure = {
  kind: "unavailable",
  detail: DATABASE_AWAY,
  retryAfterSeconds: 5,
};

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
    await drain(c.req.raw);
    const path = shortened(c.req.path, SHOWN_PATH_CHARS);
    c.var.relay.log.warn("request refused", { method: c.req.method, path, status: c.res.status });
  }
});

app.route("/", eventRoutes);
app.route("/", trialRoutes);
app.route("/", curveRoutes);
app.route("/", trialTableRoutes);
app.route("/", modelRunRoutes);
app.route("/", mirrorRoutes);
app.route("/", findRoutes);
app.route("/", artifactRoutes);
app.route("/", previewRoutes);
app.route("/", uploadRoutes);
app.route("/", syncRoutes);
app.route("/", watchRoutes);
app.route("/", deadLetterRoutes);
app.route("/", blockedRoutes);
app.route("/", conflictRoutes);
app.route("/", opsRoutes);
app.route("/", readBackRoutes);
app.route("/", tokenRoutes);
app.route("/", observeRoutes);
app.route("/", docsRoutes);
app.route("/", dashboardApp);
app.route("/", gatewayApp);

const allowedAt = methodsOf(app.routes);

app.notFound((c) => {
  const { method, path } = c.req;
  const allow = allowedAt(path);
  if (allow !== null && method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const failure: Failure =
    allow === null
      ? { kind: "not_found", detail: `There is nothing at ${method} ${shortened(path, SHOWN_PATH_CHARS)}.` }
      : { kind: "method_not_allowed", detail: `This address takes ${allow}, not ${method}.`, allow };
  return answerOf(c, failure);
});

/** Somebody who follows a wrong link; what is under /api is for programs, whoever asks. */
function isPage(c: Context<AppEnv>): boolean {
  return wantsPage(c) && !/^\/(ajax-)?api\//.test(c.req.path);
}

app.onError((error, c) => {
  if (error instanceof HttpFailure) {
    noteRefusal(c, error.failure, error.event);
    return problemResponse(error.failure, c.var.requestId);
  }
  if (error instanceof ConfigError) {
    consoleLog({ request_id: c.var.requestId }).error("the configuration is wrong", { error: error.message });
    return problemResponse({ kind: "misconfigured", detail: error.message }, c.var.requestId);
  }
  const log = consoleLog({ request_id: c.var.requestId });
  if (isDatabaseAway(error)) {
    log.error("the database does not answer", { path: c.req.path, error: errorText(error) });
    return answerOf(c, NO_DATABASE);
  }
  // The frames only: a database error begins with its query and the values in it.
  const stack = error.stack
    ?.split("\n")
    .filter((line) => line.startsWith("    at "))
    .join("\n");
  log.error("request failed", { path: c.req.path, error: errorText(error), stack });
  return answerOf(c, { kind: "internal" });
});

function answerOf(c: Context<AppEnv>, failure: Failure): Response | Promise<Response> {
  return isPage(c) ? failurePage(c, failure) : problemResponse(failure, c.var.requestId);
}
