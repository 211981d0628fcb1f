import type { Context } from "hono";
import { invalid } from "../../domain/problems.ts";
import { readTable } from "../../store/views/table.ts";
import { readColumns } from "../../store/views/table-columns.ts";
import { type Sample, type TableScope, tableVersion } from "../../store/views/table-scope.ts";
import { answerOnce } from "../door/conditional.ts";
import type { AppEnv } from "../door/context.ts";
import { found, refusal } from "../door/query.ts";
import { readSearch } from "../mirror/search-query.ts";
import { routes } from "../route.ts";
import { MAX_WHOLE_COLUMNS, trialTables } from "./contract.ts";

export const trialTableRoutes = routes(trialTables, {
  getTrialTable: async ({
    c,
    relay: { db },
    query: { model_run_id, trials, filter, spectral_norm, ...query },
  }) => {
    const scope = scopeOf(model_run_id, trials);
    const clauses = readSearch(filter, undefined)?.clauses ?? [];
    await answerOnce(c, await versionOf(c, scope));
    const { sort = null, columns = [], whole = false, limit } = query;
    if (whole) refuseTooMuch(scope, columns.length);
    return readTable(db, { scope, clauses, spectralNorm: spectral_norm, sort, columns, whole, limit });
  },
  getTrialColumns: async ({ c, relay, query: { model_run_id, trials, newest } }) => {
    const scope = scopeOf(model_run_id, trials);
    await answerOnce(c, [...(await versionOf(c, scope)), newest]);
    return readColumns(relay.db, newest === undefined ? scope : newestOf(scope, newest));
  },
});

function scopeOf(modelRunId: string | undefined, keys: readonly string[] | undefined): TableScope {
  if (modelRunId !== undefined && keys === undefined) return { modelRunId };
  if (keys !== undefined && modelRunId === undefined) return { keys };
  throw refusal([invalid(["model_run_id"], "must be given, or trials, and not both", modelRunId)]);
}

function newestOf(scope: TableScope, newest: number): Sample {
  if ("modelRunId" in scope) return { ...scope, newest };
  throw refusal([invalid(["newest"], "must come with model_run_id", String(newest))]);
}

/** What is not cut may be long: little of it is given at once. */
function refuseTooMuch(scope: TableScope, columns: number): void {
  if ("keys" in scope && columns <= MAX_WHOLE_COLUMNS) return;
  throw refusal([
    invalid(["whole"], `must come with trials, and with at most ${MAX_WHOLE_COLUMNS} columns`, "true"),
  ]);
}

/** Taken before the answer is read, so that what changes in between is asked for again. */
async function versionOf(c: Context<AppEnv>, scope: TableScope): Promise<readonly unknown[]> {
  const { db, now } = c.var.relay;
  const what = "modelRunId" in scope ? `model run ${scope.modelRunId}` : "such trial";
  return found(await tableVersion(db, scope, now()), what);
}
