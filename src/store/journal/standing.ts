import type { TerminalStatus } from "../../domain/facts-schema.ts";
import { fieldPath, olderThan, tagPath } from "../../domain/notes.ts";
import { type Lifecycle, lifecycleWith, whyOutweighed } from "../../domain/status.ts";
import type { StoredEvent } from "../../domain/types.ts";
import { type Warning, warning } from "../../domain/warnings.ts";
import { readWarnings } from "../stream/columns.ts";
import { readLifecycle } from "../stream/core-column.ts";

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

/** A field or tag of an event that is older than what stands, as far as that is folded. */
type Older = {
  key: string;
  seq: number;
  id: string;
  part: "fields" | "tags";
  name: string;
  value: string;
  at: number;
};

type Ref = { stream: { key: string }; id: string };
/** What is to be said of an event, by its id. */
type Said = Map<string, Warning[]>;

/**
 * What some events, which the journal has, do not change: as the fold has noted it, or would.
 * @returns the warnings of each stream, by its public id
 */
export async function outweighedBy(db: D1Database, events: readonly Ref[]): Promise<Map<string, Said>> {
  const keys = JSON.stringify([...new Set(events.map(({ stream }) => stream.key))]);
  const refs = JSON.stringify(events.map(({ stream, id }) => [stream.key, id]));
  const [states, words, older, noted] = await db.batch<
    Row & Older & { lifecycle: string | null; warnings: string }
  >([
    db.prepare(LIFECYCLES).bind(keys),
    db.prepare(WORDS).bind(keys, MAX_WORDS),
    db.prepare(OLDER).bind(refs, MAX_WORDS),
    db.prepare(NOTED).bind(refs),
  ]);
  const byKey = Map.groupBy(words?.results ?? [], ({ key }) => key);
  const said = new Map(
    (states?.results ?? []).map(({ key, lifecycle }) => [
      key,
      unfolded(readLifecycle(lifecycle), (byKey.get(key) ?? []).map(wordOf)),
    ]),
  );
  const add = (key: string, id: string, warnings: readonly Warning[]) =>
    said.get(key)?.set(id, [...(said.get(key)?.get(id) ?? []), ...warnings]);
  for (const row of older?.results ?? []) add(row.key, row.id, [olderWarning(row)]);
  for (const { key, id, warnings } of noted?.results ?? [])
    add(
      key,
      id,
      readWarnings(warnings).filter(({ action }) => action === "outweighed"),
    );
  return said;
}

function olderWarning({ seq, part, name, value, at }: Older): Warning {
  const path = part === "fields" ? fieldPath(name) : tagPath({ facts: null }, name);
  return olderThan({ seq }, path, value, at).warning;
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

/** What is a field and a tag of its event is one thing to its trainer. */
const OLDER = `
  with told as (
    select s.id as stream_id, s.key, e.seq, e.event_id, e.occurred_at, e.facts
    from json_each(?1) j join streams s on s.key = j.value ->> 0
    join events e on e.stream_id = s.id and e.event_id = j.value ->> 1 and e.seq > s.folded_seq)
  select told.key, told.seq, told.event_id as id, 'fields' as part, f.key as name, f.value, c.value ->> '$.at' as at
  from told left join trials t on t.id = told.stream_id left join model_runs m on m.id = told.stream_id
  join json_each(told.facts, '$.fields') f
  join json_each(coalesce(t.core, m.core), '$.fields') c on c.key = f.key
  where (c.value ->> '$.at', c.value ->> '$.id') > (told.occurred_at, told.event_id) and c.value ->> '$.value' is not f.value
  union all
  select told.key, told.seq, told.event_id, 'tags', f.key, f.value, g.at
  from told join json_each(told.facts, '$.tags') f join tags g on g.stream_id = told.stream_id and g.key = f.key
  where (g.at, g.event_id) > (told.occurred_at, told.event_id) and (g.removed_at is not null or g.value is not f.value)
    and not exists (select 1 from json_each(told.facts, '$.fields') o where o.key = f.key)
  limit ?2`;

const NOTED = `
  select j.value ->> 0 as key, e.event_id as id, e.warnings
  from json_each(?1) j join streams s on s.key = j.value ->> 0
  join events e on e.stream_id = s.id and e.event_id = j.value ->> 1 and e.seq <= s.folded_seq
  where e.warnings is not null`;
