import type { TerminalStatus } from "../domain/facts-schema.ts";
import { type Lifecycle, lifecycleWith, whyOutweighed } from "../domain/status.ts";
import type { StoredEvent } from "../domain/types.ts";
import { type Warning, warning } from "../domain/warnings.ts";
import { readWarnings } from "./columns.ts";
import { readLifecycle } from "./core-column.ts";

/** Of a stream's words that are not folded yet so many are looked at. */
const MAX_WORDS = 1_000;

type Row = {
  key: string;
  seq: number;
  id: string;
  type: string;
  at: number;
  acceptedAt: number;
  ends: TerminalStatus | null;
  resumes: number | null;
  endedAt: number | null;
  over: number | null;
};

type End = { stream: { key: string }; id: string };
/** What is to be said of an end, by its event's id. */
type Said = Map<string, Warning[]>;

/**
 * What some ends, which the journal has, do not change: as the fold has noted it, or would.
 * @returns the warnings of each stream, by its public id
 */
export async function outweighedEnds(db: D1Database, ends: readonly End[]): Promise<Map<string, Said>> {
  const keys = JSON.stringify([...new Set(ends.map(({ stream }) => stream.key))]);
  const [states, words, noted] = await db.batch<Row & { lifecycle: string | null; warnings: string }>([
    db.prepare(LIFECYCLES).bind(keys),
    db.prepare(WORDS).bind(keys, MAX_WORDS),
    db.prepare(NOTED).bind(JSON.stringify(ends.map(({ stream, id }) => [stream.key, id]))),
  ]);
  const byKey = Map.groupBy(words?.results ?? [], ({ key }) => key);
  const said = new Map(
    (states?.results ?? []).map(({ key, lifecycle }) => [
      key,
      unfolded(readLifecycle(lifecycle), (byKey.get(key) ?? []).map(wordOf)),
    ]),
  );
  for (const { key, id, warnings } of noted?.results ?? [])
    said.get(key)?.set(
      id,
      readWarnings(warnings).filter(({ action }) => action === "outweighed"),
    );
  return said;
}

function unfolded(folded: Lifecycle, words: readonly StoredEvent[]): Said {
  const said: Said = new Map();
  let lifecycle = folded;
  for (const word of words) {
    lifecycle = lifecycleWith(lifecycle, word);
    const rule = whyOutweighed(lifecycle, word);
    if (rule !== null) said.set(word.id, [warning(["event"], word.type, rule, "outweighed")]);
  }
  return said;
}

function wordOf({ seq, id, type, at, acceptedAt, ends, resumes, endedAt, over }: Row): StoredEvent {
  const facts = {
    ...(ends === null ? {} : { ends }),
    ...(resumes ? { resumes: true as const } : {}),
    ...(endedAt === null ? {} : { endedAt }),
    ...(over === null ? {} : { over }),
  };
  return { seq, id, type, occurredAt: at, acceptedAt, facts };
}

const LIFECYCLES = `
  select s.key, coalesce(t.core, m.core) -> '$.lifecycle' as lifecycle
  from json_each(?1) j join streams s on s.key = j.value
  left join trials t on t.id = s.id left join model_runs m on m.id = s.id`;

const WORDS = `
  select s.key, e.seq, e.event_id as id, e.type, e.occurred_at as at, e.accepted_at as acceptedAt,
    e.facts ->> '$.ends' as ends, e.facts ->> '$.resumes' as resumes, e.facts ->> '$.endedAt' as endedAt,
    e.facts ->> '$.over' as over
  from json_each(?1) j join streams s on s.key = j.value
  join events e on e.stream_id = s.id and e.seq > s.folded_seq
  where e.facts ->> '$.ends' is not null or e.facts ->> '$.resumes' is not null
  order by e.seq limit ?2`;

const NOTED = `
  select j.value ->> 0 as key, e.event_id as id, e.warnings
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  join events e on e.stream_id = s.id and e.event_id = j.value ->> 1 and e.seq <= s.folded_seq
  where e.warnings is not null`;
