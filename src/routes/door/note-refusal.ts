import type { Context } from "hono";
import { isMap } from "../../domain/flatten.ts";
import { cut, MAX_ID_CHARS } from "../../domain/limits.ts";
import { schemas } from "../../domain/schemas.ts";
import { shortened } from "../../domain/shown.ts";
import { type Failure, problemBody } from "../../errors.ts";
import { errorText } from "../../log.ts";
import type { Deps } from "../../relay/deps.ts";
import { remembered } from "../../remembered.ts";
import { RefusalTrace } from "../../store/ops/refusals.ts";
import type { AppEnv } from "./context.ts";

const SHOWN_RULE_CHARS = 200;
/** Of one request so many refusals have a line each in the log. */
const MAX_LINES = 20;
const EVENTS = "/api/events";

/** One for all of an isolate's requests, as are the counts. */
const trace = remembered(() => new RefusalTrace());

/** The fields that a count may name: a trainer's own names would be without end. */
const KNOWN_FIELDS = new Set([
  "body",
  "Idempotency-Key",
  ...Object.values(schemas).flatMap((schema) => Object.keys(schema.shape)),
]);

/** Counts what was refused; an event also leaves a trace, and the first ones of a request a line in the log. */
export function noteRefusal(c: Context<AppEnv>, failure: Failure, body: unknown, nth = 0): void {
  const { relay, requestId, caller } = c.var;
  const { error, status, detail, errors } = problemBody(failure, 1);
  const problem = errors?.[0];
  const [top = ""] = (problem?.field ?? "").split(".");
  const field = top === "" || KNOWN_FIELDS.has(top) ? top : "other";
  relay.tally.add(`relay_refusals_total{error="${error}",field="${field}"}`);
  // Who is not known has no trace to leave, and what is to be sent again unchanged needs none.
  if (!caller || status === 429 || status >= 500 || !c.req.path.startsWith(EVENTS)) return;
  const about = {
    tokenId: caller.tokenId,
    modelRunId: idIn(body, "model_run_id"),
    trialId: idIn(body, "trial_id"),
    error,
    field: problem?.field ?? "",
    rule: shortened(problem ? problem.rule : detail, SHOWN_RULE_CHARS),
  };
  trace.value.add({ ...about, value: problem?.value ?? "", requestId, at: relay.now() });
  const { tokenId: token, modelRunId: model_run_id, trialId: trial_id, ...why } = about;
  if (nth < MAX_LINES) relay.log.warn("an event was refused", { token, model_run_id, trial_id, ...why });
}

/** Whether traces should be written down beside other work. */
export function areTracesDue(now: number): boolean {
  return trace.value.isDue(now);
}

/** Writes traces down; nothing fails for them. */
export async function flushTraces({ db, log }: Pick<Deps, "db" | "log">): Promise<void> {
  try {
    await trace.value.flush(db);
  } catch (error) {
    log.warn("traces of refusals were lost", { error: errorText(error) });
  }
}

function idIn(body: unknown, name: string): string {
  const id = isMap(body) ? body[name] : undefined;
  if (typeof id !== "string" && typeof id !== "number" && typeof id !== "bigint") return "";
  return cut(String(id), MAX_ID_CHARS).toWellFormed().replaceAll("\0", "\ufffd");
}
