import * as z from "zod";
import type { ClientsRun } from "../../store/gateway/delivery.ts";
import { markInput, nextInput } from "../../store/gateway/inputs.ts";
import { stop } from "../stream/stop.ts";
import { proceed, type Step, type Turn } from "../stream/turn.ts";

const input = z.record(z.string(), z.unknown());

/** Brings MLflow the datasets that an MLflow client's run was given; one that it hears of twice it stores once. */
export async function giveInputs(turn: Turn, { hasInputs }: ClientsRun, runId: string): Promise<Step> {
  if (!hasInputs) return proceed;
  const { db } = turn.deps;
  for (;;) {
    const next = await nextInput(db, turn.stream.id);
    if (next === null) return proceed;
    if (turn.exhausted) return { ok: false, end: { kind: "more" } };
    const body = input.parse(JSON.parse(next.body));
    const given = await turn.write({ call: "runs/log-inputs" }, (mlflow) =>
      mlflow.logInput({ runId, input: body }),
    );
    if (!given.ok) return stop(turn, given.failure);
    await markInput(db, turn.lease, next.digest);
  }
}
