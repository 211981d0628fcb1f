import * as z from "zod";
import type { Relay } from "./relay.ts";

const difference = z.object({ count: z.number(), sample: z.array(z.unknown()) });
const texts = z.object({
  compared: z.number(),
  missing: difference,
  different: difference,
  explained: z.number(),
});

/** What the tests read of a verdict. */
const verdict = z.object({
  kind: z.enum(["trial", "model_run"]),
  id: z.string(),
  trial_id: z.string().nullable(),
  verdict: z.enum(["confirmed", "differs"]).nullable(),
  report: z
    .object({
      undelivered_events: z.number(),
      run: z.object({ id: z.string(), state: z.string() }),
      double_runs: z.array(z.string()).nullable(),
      points: z.object({
        compared: z.number(),
        missing: z.number(),
        extra: z.number(),
        different: z.number(),
        doubled: z.number(),
        undelivered: z.number(),
        explained: z.number(),
        keys: z.record(z.string(), z.record(z.string(), difference)),
      }),
      params: texts,
      tags: texts,
      state: z.array(z.unknown()).nullable(),
    })
    .nullable(),
});
export type Verdict = z.infer<typeof verdict>;

const helping = z.object({ results: z.array(verdict), next_cursor: z.string().nullable() });

/** Has a model run verified, helping by helping; its own verdict and those on its trials, by trial id. */
export async function verifyAll(relay: Relay, modelRunId: string): Promise<Map<string | null, Verdict>> {
  const verdicts = new Map<string | null, Verdict>();
  for (let cursor: string | null = "0"; cursor !== null; ) {
    const path = `/api/ops/model-runs/${encodeURIComponent(modelRunId)}/verify?cursor=${cursor}`;
    const { status, body } = await relay.ask(path);
    if (status !== 200) throw new Error(`verify answered ${status}: ${JSON.stringify(body)}`);
    const { results, next_cursor } = helping.parse(body);
    for (const result of results) verdicts.set(result.trial_id, result);
    cursor = next_cursor;
  }
  return verdicts;
}

/** The verdict on a model run's only trial. */
export async function verifyOnly(relay: Relay, modelRunId: string): Promise<Verdict> {
  const trials = [...(await verifyAll(relay, modelRunId)).values()].filter(({ kind }) => kind === "trial");
  const [only, ...others] = trials;
  if (!only || others.length > 0) throw new Error(`${modelRunId} has ${trials.length} trials`);
  return only;
}
