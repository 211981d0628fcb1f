import { type Context, Hono } from "hono";
import { DATABASE_AWAY, HttpFailure, problemBody } from "../errors.ts";
import { errorText } from "../log.ts";
import { authorize, fromBearerOrBasic } from "../routes/door/auth.ts";
import type { AppEnv } from "../routes/door/context.ts";
import { methodsOf } from "../routes/door/methods.ts";
import { isDatabaseAway } from "../store/database/transient.ts";
import { permanentRefusal } from "../store/journal/refusal.ts";
import { unavailable } from "./keep.ts";
import { PASSED_METHODS, PASSED_PATHS } from "./passing/endpoint.ts";
import { passOn } from "./passing/proxy.ts";
import { type ErrorCode, invalid, Refusal, type RefusalBody } from "./refusal.ts";
import type { GatewayRoute } from "./route.ts";
import { ROUTES, RUN_FILE } from "./routes.ts";
import { versionOf } from "./server.ts";

/**
 * MLflow's REST API over the relay's own stages, for MLflow's own clients: errors in MLflow's shape, and 200 with a JSON
 * object for everything that was taken, since that is all they understand.
 */
export const gatewayApp = new Hono<AppEnv>({ strict: false });

/** Clients use the first, MLflow's own pages the other. */
const PREFIXES = ["/api", "/ajax-api"];
/** What may succeed at once is tried again after a second: without this a client waits for minutes. */
const RETRY_AFTER_SECONDS = "1";
/** However often it is sent: a name or a list that no record of the relay's can have. */
const TOO_LARGE = invalid(
  "The request holds a text or a list that is larger than the relay's database takes.",
);

const NO_DATABASE = unavailable(DATABASE_AWAY);

const OWN = [
  ...ROUTES.flatMap((route) => PREFIXES.map((prefix) => ({ ...route, path: `${prefix}${route.path}` }))),
  RUN_FILE,
];
for (const route of OWN) gatewayApp.on([...route.methods], [route.path], (c) => handled(c, route));

gatewayApp.get("/version", async (c) => {
  await authorize(c, "read", fromBearerOrBasic);
  return c.text(await versionOf(c.var.relay));
});

const allowedHere = methodsOf(
  OWN.flatMap(({ methods, path }) => methods.map((method) => ({ method, path }))),
);
for (const path of PASSED_PATHS)
  gatewayApp.on([...PASSED_METHODS], [path.endsWith("/") ? `${path}:rest{.+}` : path], (c) =>
    passOn(c, allowedHere),
  );

async function handled(c: Context<AppEnv>, route: GatewayRoute): Promise<Response> {
  if (route.scope !== null) c.set("caller", await authorize(c, route.scope, fromBearerOrBasic));
  const answer = await route.answer(c);
  return answer instanceof Response ? answer : json(answer, 200);
}

gatewayApp.onError((error, c) => {
  if (error instanceof Refusal) return refused(error.body, error.status);
  if (error instanceof HttpFailure) return ofDoor(error);
  // Drizzle's own message holds the whole query.
  if (permanentRefusal(error.cause ?? error)?.isTooLarge) return refused(TOO_LARGE.body, TOO_LARGE.status);
  const isAway = isDatabaseAway(error);
  c.var.relay.log.error(isAway ? "the database does not answer" : "a request of an MLflow client failed", {
    path: c.req.path,
    error: errorText(error),
  });
  if (isAway) return refused(NO_DATABASE.body, NO_DATABASE.status);
  // A fault of the relay's own: after a 500 a client would wait for four minutes before it says so, after this for seconds.
  const message = `Something went wrong in the relay. The error was logged with the request's id, ${c.var.requestId}.`;
  return refused({ error_code: "TEMPORARILY_UNAVAILABLE", message }, 503);
});

/** The relay's own door, in MLflow's words. */
const CODES: Partial<Record<HttpFailure["failure"]["kind"], ErrorCode>> = {
  unauthenticated: "UNAUTHENTICATED",
  method_not_allowed: "ENDPOINT_NOT_FOUND",
  forbidden: "PERMISSION_DENIED",
  rate_limited: "REQUEST_LIMIT_EXCEEDED",
  not_found: "RESOURCE_DOES_NOT_EXIST",
  conflict: "RESOURCE_CONFLICT",
  not_implemented: "NOT_IMPLEMENTED",
  unavailable: "TEMPORARILY_UNAVAILABLE",
};

function ofDoor({ failure }: HttpFailure): Response {
  const { status, detail } = problemBody(failure);
  const body = { error_code: CODES[failure.kind] ?? "INVALID_PARAMETER_VALUE", message: detail } as const;
  const response = refused(body, status);
  if (failure.kind === "method_not_allowed") response.headers.set("allow", failure.allow);
  if (failure.kind === "unauthenticated")
    response.headers.set("www-authenticate", 'Bearer realm="trial-relay", Basic realm="trial-relay"');
  return response;
}

function refused(body: RefusalBody, status: number): Response {
  const response = json(body, status);
  if (status === 503 || status === 429) response.headers.set("retry-after", RETRY_AFTER_SECONDS);
  return response;
}

function json(body: unknown, status: number): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}
