import { Hono } from "hono";
import * as z from "zod";
import { identifier, flag as isFlag, step, time } from "../domain/fields.ts";
import { invalid } from "../domain/problems.ts";
import { HELPING_POINTS, isEmptyPlan, type Planned, planBackfill, planView } from "../relay/backfill.ts";
import type { Deps } from "../relay/deps.ts";
import { sendAgain } from "../relay/send-again.ts";
import { type SelectedStream, selectStreams } from "../store/verdicts.ts";
import { requireScope } from "./auth.ts";
import type { AppEnv } from "./context.ts";
import { readJsonObject } from "./json-body.ts";
import { found, readQuery, refusal } from "./query.ts";
import { unreachable } from "./verify.ts";

const MAX_STREAMS = 50;
const MAX_MS = 15_000;
const CURSOR_RULE = "must be the next_cursor of the answer before, unchanged";
const SELECTION_RULE =
  "must name what to send again by one of id, model_run_id, trial_id, from_time, to_time, from_step, to_step";

const place = z.strictObject({ step: z.int(), timestamp: z.int() });
const cursor = z.strictObject(
  {
    stream: z.int(),
    resume: z
      .strictObject({
        seq: z.int(),
        position: z.strictObject({ key: z.string(), after: place.nullable() }),
      })
      .nullable(),
  },
  CURSOR_RULE,
);

const request = z.strictObject({
  id: identifier.optional(),
  model_run_id: identifier.optional(),
  trial_id: identifier.optional(),
  from_time: time.nullable().default(null),
  to_time: time.nullable().default(null),
  from_step: step.nullable().default(null),
  to_step: step.nullable().default(null),
  only_missing: isFlag.default(true),
  dry_run: isFlag.default(false),
  cursor: cursor.nullable().default(null),
});
type Request = z.output<typeof request>;

/** `/api/ops/backfill`: sends again what MLflow lost, or says what would be sent. */
export const backfill = new Hono<AppEnv>().post("/backfill", requireScope("admin"), async (c) => {
  readQuery(c, {});
  const asked = readRequest(await readJsonObject(c));
  const { relay } = c.var;
  const startedAt = relay.now();
  const { id, model_run_id, trial_id } = asked;
  const from = asked.cursor ?? { stream: 0, resume: null };
  const streams = await selectStreams(relay.db, { id, model_run_id, trial_id }, from.stream, MAX_STREAMS + 1);
  if (asked.cursor === null) found(streams[0], "trial or model run of that name");
  const results: Awaited<ReturnType<typeof helping>>["result"][] = [];
  let points = 0;
  let next: z.output<typeof cursor> | null = null;
  for (const [index, stream] of streams.entries()) {
    next = { stream: stream.id, resume: index === 0 ? from.resume : null };
    if (index >= MAX_STREAMS || points >= HELPING_POINTS) break;
    if (index > 0 && relay.now() - startedAt > MAX_MS) break;
    const planned = await planBackfill(relay, stream.id, wantedOf(asked), next.resume);
    if (planned.kind === "unreachable") {
      // What was done so far is told; the next call says why it went no further.
      if (results.length === 0) throw unreachable(planned.message);
      break;
    }
    const { result, resume } = await helping(relay, stream, planned, asked.dry_run);
    results.push(result);
    points += result.points;
    if (result.outcome === "busy") break;
    next = resume ? { stream: stream.id, resume } : null;
    if (resume) break;
  }
  return c.json({ dry_run: asked.dry_run, points, results, next_cursor: next });
});

/** One stream's part: sent, or only told. */
async function helping(
  relay: Deps,
  stream: SelectedStream,
  planned: Exclude<Planned, { kind: "unreachable" }>,
  dryRun: boolean,
) {
  const { key: id, kind, modelRunId: model_run_id, trialId: trial_id } = stream;
  const who = { id, kind, model_run_id, trial_id };
  if (planned.kind === "impossible")
    return {
      result: { ...who, outcome: "impossible" as const, reason: planned.reason, points: 0 },
      resume: null,
    };
  const { plan } = planned;
  const view = { ...who, ...planView(plan) };
  if (isEmptyPlan(plan)) return { result: { ...view, outcome: "nothing" as const }, resume: plan.next };
  if (dryRun) return { result: { ...view, outcome: "would_send" as const }, resume: plan.next };
  const isSent = await sendAgain(relay, stream.id, plan);
  if (isSent) relay.log.info("sent again by an operator", { stream: id, points: view.points });
  return {
    result: { ...view, outcome: isSent ? ("queued" as const) : ("busy" as const) },
    resume: plan.next,
  };
}

function wantedOf({ from_time, to_time, from_step, to_step, only_missing }: Request) {
  return {
    fromTime: from_time,
    toTime: to_time,
    fromStep: from_step,
    toStep: to_step,
    onlyMissing: only_missing,
  };
}

function readRequest(body: Record<string, unknown>): Request {
  const parsed = request.safeParse(body);
  if (!parsed.success)
    throw refusal(
      parsed.error.issues.flatMap((issue) =>
        issue.code === "unrecognized_keys"
          ? issue.keys.map((key) => invalid([key], "is not a field of a back-fill", body[key]))
          : [invalid(issue.path, issue.message, body[String(issue.path[0])])],
      ),
    );
  const { id, model_run_id, trial_id, from_time, to_time, from_step, to_step } = parsed.data;
  const selects = [id, model_run_id, trial_id, from_time, to_time, from_step, to_step];
  if (selects.every((one) => one === undefined || one === null))
    throw refusal([invalid(["body"], SELECTION_RULE, body)]);
  return parsed.data;
}
