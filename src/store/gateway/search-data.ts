import type { Latest, Pair } from "../../domain/client-run.ts";
import { observe } from "../../domain/observations.ts";
import { fromWire, type WireNumber } from "../../domain/values.ts";
import { MODEL_RUN_TAG, PARENT_TAG, RUN_NAME_TAG, TRIAL_TAG } from "../../mlflow/tags.ts";
import type { RunRow } from "./search-rows.ts";
import { FIRST_ID } from "./search-scope.ts";

/** A run as a search shows it. */
export type FoundRun = RunRow & { params: Pair[]; tags: Pair[]; metrics: Latest[] };

/** The data of so many runs is read in one statement, which looks at their sizes first. */
const RUNS_AT_ONCE = 5_000;

/**
 * Runs with their data: as many from the first on as there is room for, and always one.
 * @param maxBytes about so much of an answer
 */
export async function readData(
  db: D1Database,
  rows: readonly RunRow[],
  maxBytes: number,
): Promise<FoundRun[]> {
  const read: FoundRun[] = [];
  let left = maxBytes;
  while (read.length < rows.length) {
    const next = rows.slice(read.length, read.length + RUNS_AT_ONCE);
    const { runs, bytes } = await readSome(db, next, left, read.length === 0);
    read.push(...runs);
    left -= bytes;
    if (runs.length < next.length) break;
  }
  return read;
}

type Item = [
  n: number,
  kind: "run" | "param" | "pulled tag" | "tag" | "metric",
  key: string,
  value: WireNumber,
  step: number | null,
  timestamp: number | null,
];

async function readSome(db: D1Database, rows: readonly RunRow[], maxBytes: number, isFirst: boolean) {
  const page = rows.map(({ streamId, isEventApi, runId }) => [streamId, isEventApi, runId]);
  const items = await db
    .prepare(READ)
    .bind(JSON.stringify(page), maxBytes, isFirst ? 0 : -1)
    .raw<Item>();
  const runs: Parts[] = [];
  let bytes = 0;
  for (const [n, kind, key, value, step, timestamp] of items) {
    const row = rows[n];
    if (kind === "run" && row) {
      runs[n] = partsOf(row);
      bytes += Number(value);
    }
    const run = runs[n];
    if (!run) continue;
    if (kind === "param") run.params.push({ key, value: String(value) });
    if (kind === "pulled tag" && !run.system.has(key)) run.tags.set(key, String(value));
    if (kind === "tag") run.tags.set(key, String(value));
    if (kind === "metric")
      observe(run.metrics, { key, value: fromWire(value), step: step ?? 0, timestamp: timestamp ?? 0 });
  }
  return { bytes, runs: runs.map(runOf) };
}

type Parts = {
  row: RunRow;
  params: Pair[];
  tags: Map<string, string>;
  /** What delivery says of a trial or model run in tags, whether it was pulled again or not. */
  system: ReadonlyMap<string, string>;
  metrics: Map<string, Latest>;
};

function partsOf(row: RunRow): Parts {
  const { isEventApi, runName, trialId, modelRunId } = row;
  const said = isEventApi
    ? { [RUN_NAME_TAG]: runName, [TRIAL_TAG]: trialId, [MODEL_RUN_TAG]: modelRunId }
    : {};
  const system = new Map(
    Object.entries(said).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const])),
  );
  return { row, params: [], tags: new Map(system), system, metrics: new Map() };
}

function runOf({ row, params, tags, metrics }: Parts): FoundRun {
  return {
    ...row,
    params,
    tags: [...tags].map(([key, value]) => ({ key, value })),
    metrics: [...metrics.values()],
  };
}

/** MLflow's id of the parent as the one that was given first. */
const SHOWN_TAG = `iif(j.key = '${PARENT_TAG}', coalesce((
  select ${FIRST_ID} from streams s left join gateway_runs g on g.stream_id = s.id where s.mlflow_run_id = j.value),
  j.value), j.value)`;

const SIZE_OF_TEXTS = (table: string) =>
  `(select coalesce(sum(length(key) + length(value) + 25), 0) from ${table} x where x.stream_id = page.stream_id)`;

/**
 * Rows of a page's runs, which `n` counts from 0: of each that there is room for one of kind `run` with its size, before
 * all others. What is pulled comes before what the stream says.
 */
const READ = `
  with page(n, stream_id, is_told, pulled) as materialized (
    select key, value ->> 0, value ->> 0 is null or value ->> 1, (
      select rowid from mlflow_runs where value ->> 0 is null and mlflow_run_id = value ->> 2 or stream_id = value ->> 0)
    from json_each(?1)),
  sized as (
    select page.*, 400 + ${SIZE_OF_TEXTS("params")} + ${SIZE_OF_TEXTS("tags")}
      + (select coalesce(sum(length(key) + 90), 0) from metric_summaries x where x.stream_id = page.stream_id)
      + coalesce((select length(data) from mlflow_runs m where m.rowid = page.pulled), 0) as bytes
    from page),
  fitting as materialized (
    select * from (select *, sum(bytes) over (order by n rows unbounded preceding) as so_far from sized)
    where n = ?3 or so_far <= ?2)
  select n, 'run', '', bytes, null, null from fitting
  union all
  select n, k.value, j.key,
    case k.value when 'metric' then j.value ->> 'value' when 'param' then j.value else ${SHOWN_TAG} end,
    iif(k.value = 'metric', cast(j.value ->> 'step' as integer), null), iif(k.value = 'metric', j.value ->> 'timestamp', null)
  from fitting f cross join mlflow_runs m on m.rowid = f.pulled,
    json_each('["param", "pulled tag", "metric"]') k,
    json_each(m.data, '$.' || case k.value when 'param' then 'params' when 'metric' then 'metrics' else 'tags' end) j
  where m.data is not null and (k.value = 'metric' or is_told and (k.value <> 'param' or f.stream_id is null))
  union all
  select n, 'param', x.key, x.value, null, null from fitting f cross join params x on x.stream_id = f.stream_id
  union all
  select n, 'tag', x.key, x.value, null, null from fitting f cross join tags x on x.stream_id = f.stream_id
  where x.removed_at is null
  union all
  select n, 'metric', x.key, x.last, coalesce(x.last_step, (
      select core ->> '$.maxStep' from trials t where t.id = f.stream_id), 0), x.last_timestamp
  from fitting f cross join metric_summaries x on x.stream_id = f.stream_id`;
