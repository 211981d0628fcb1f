import { ending } from "../database/counted.ts";

/** Counts that only grow. A name carries its labels as Prometheus writes them: `relay_mlflow_calls_total{outcome="ok"}`. */
export type Counts = Record<string, number>;

const FLUSH_INTERVAL_MS = 5_000;

/** Gathers counts in memory until they are flushed in one statement. */
export class Tally {
  #counts = new Map<string, number>();
  #flushedAt = 0;

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  /** Whether something has waited long enough to be written down beside other work. */
  isDue(now: number): boolean {
    if (this.#counts.size === 0 || now - this.#flushedAt < FLUSH_INTERVAL_MS) return false;
    this.#flushedAt = now;
    return true;
  }

  /** Writes down what was gathered. What a database that refuses does not take is kept for the next time. */
  async flush(db: D1Database): Promise<void> {
    const rows = [...this.#counts];
    if (rows.length === 0) return;
    this.#counts.clear();
    try {
      await ending(db).prepare(ADD).bind(JSON.stringify(rows)).run();
    } catch (error) {
      for (const [name, by] of rows) this.add(name, by);
      throw error;
    }
  }
}

const ADD = `
  insert into counters (name, value) select value ->> 0, value ->> 1 from json_each(?1) where true
  on conflict (name) do update set value = value + excluded.value`;
