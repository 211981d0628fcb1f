import type { TrialStatus } from "../../domain/types.ts";
import { behind } from "../stream/warm.ts";

/** What an overview says of some model runs' trials, at a price that does not grow with those that are over. */

export type Overview = {
  trials: Record<TrialStatus, number>;
  /** Of those of which it was said. */
  spectralNorm: { with: number; without: number };
  /** Trials of which MLflow does not have everything yet, and those among them that stand still. */
  behind: number;
  blocked: number;
  /** When something was last heard of one of them: epoch milliseconds. */
  activeAt: number | null;
};

type Counts = Record<TrialStatus, number> & { id: string; withNorm: number; withoutNorm: number };

const NONE: Overview = {
  trials: { running: 0, succeeded: 0, failed: 0, skipped: 0, cancelled: 0 },
  spectralNorm: { with: 0, without: 0 },
  behind: 0,
  blocked: 0,
  activeAt: null,
};

/** The overview of each of these model runs, by the trainer's ids. */
export async function overviewOf(db: D1Database, ids: readonly string[]): Promise<(id: string) => Overview> {
  const bound = JSON.stringify(ids);
  const [counts, late, newest, warm] = await db.batch(
    [COUNTS, BEHIND, NEWEST, WARM].map((query) => db.prepare(query).bind(bound)),
  );
  const byId = new Map<string, Overview>(ids.map((id) => [id, NONE]));
  const note = (id: string, part: Partial<Overview>) => byId.set(id, { ...(byId.get(id) ?? NONE), ...part });
  for (const { id, withNorm, withoutNorm, ...trials } of rowsOf<Counts>(counts))
    note(id, { trials, spectralNorm: { with: withNorm, without: withoutNorm } });
  for (const { id, ...part } of rowsOf<{ id: string; behind: number; blocked: number }>(late)) note(id, part);
  for (const { id, at } of [...rowsOf<{ id: string; at: number | null }>(newest), ...rowsOf<Active>(warm)]) {
    const known = byId.get(id)?.activeAt ?? null;
    if (at !== null && (known === null || at > known)) note(id, { activeAt: at });
  }
  return (id) => byId.get(id) ?? NONE;
}

type Active = { id: string; at: number };

function rowsOf<T>(result: D1Result | undefined): T[] {
  return result?.results as T[];
}

const IDS = "(select value from json_each(?1))";

const COUNTS = `
  select model_run_id as id, running, succeeded, failed, skipped, cancelled, with_spectral_norm as withNorm,
    without_spectral_norm as withoutNorm
  from trial_counts where model_run_id in ${IDS}`;

const BEHIND = `
  select model_run_id as id, count(*) as behind, count(blocked_kind) as blocked from streams
  where ${behind()} and kind = 'trial' and model_run_id in ${IDS} group by model_run_id`;

/** Of those that are cold the one that began last stands for all. */
const NEWEST = `
  select m.value as id,
    (select t.updated_at from trials t where t.model_run_id = m.value order by t.id desc limit 1) as at
  from json_each(?1) m`;

const WARM = `
  select t.model_run_id as id, max(max(t.updated_at, s.updated_at)) as at
  from trials t indexed by trials_warm join streams s on s.id = t.id
  where t.warm = 1 and t.model_run_id in ${IDS} group by t.model_run_id`;
