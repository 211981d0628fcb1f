import type { Context } from "hono";
import { HttpFailure } from "../../errors.ts";
import { heard } from "../../relay/line/breaker.ts";
import { authorize, fromBearerOrBasic } from "../../routes/door/auth.ts";
import type { AppEnv } from "../../routes/door/context.ts";
import { withMlflowIds } from "../ids.ts";
import { Refusal } from "../refusal.ts";
import { whileAway } from "../while-away.ts";
import { answerOf } from "./answer.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";
import { pathOf, segmentsOf } from "./path.ts";
import { readAsked, swapAsked } from "./request.ts";
import { openUpload, type Upload } from "./upload.ts";

/**
 * A request that the relay does not answer itself, passed on to MLflow with MLflow's ids, and MLflow's answer with the
 * relay's. Nobody waits for an MLflow that is away: its clients would try again for minutes.
 * @param allowed the methods of an address that is answered here, which MLflow is not to be asked about by another
 * @throws Refusal NOT_IMPLEMENTED while MLflow is away; TEMPORARILY_UNAVAILABLE where the next try may succeed
 * @throws HttpFailure method_not_allowed, and what the door says
 */
export async function passOn(
  c: Context<AppEnv>,
  allowed: (path: string) => string | null,
): Promise<Response> {
  const { method } = c.req;
  const segments = segmentsOf(new URL(c.req.url).pathname);
  const allow = allowed(pathOf(segments));
  if (allow !== null)
    throw new HttpFailure({
      kind: "method_not_allowed",
      detail: `This address takes ${allow}, not ${method}.`,
      allow,
    });
  const endpoint = endpointOf(method, segments);
  c.set("caller", await authorize(c, endpoint.scope, fromBearerOrBasic));
  if (!endpoint.isPassed)
    throw new Refusal(
      "NOT_IMPLEMENTED",
      "Files go through the relay, whole and not to a storage of their own.",
    );
  return passed(c, endpoint, segments);
}

async function passed(
  c: Context<AppEnv>,
  endpoint: Endpoint,
  segments: readonly string[],
): Promise<Response> {
  const { relay } = c.var;
  const held = await relay.guard.held();
  if (held) throw whileAway(held.message);
  const asked = await readAsked(c, endpoint, segments);
  const request = await withMlflowIds(relay, (swap) => swapAsked(asked, endpoint, swap));
  const upload = endpoint.body === "bytes" ? await openUpload(c.req.raw) : null;
  const body = upload === null ? request.body : upload.body;
  const sent = await relay.mlflow.passOn({ ...request, body, patienceMs: patienceFor(upload, c) });
  if (sent.ok) return answerOf(relay, sent.value);
  await upload?.stop();
  // A client that breaks off its own upload is no failure of MLflow's.
  if (upload === null) c.executionCtx.waitUntil(heard(relay, sent.failure));
  throw whileAway(sent.failure.message);
}

/** An upload is answered after its last byte: so much slower may it be. */
const SLOWEST_BYTES_PER_MS = 50;

function patienceFor(upload: Upload | null, c: Context<AppEnv>): number {
  return c.var.relay.config.mlflow.timeoutMs + Math.ceil((upload?.bytes ?? 0) / SLOWEST_BYTES_PER_MS);
}
