import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { deleteSettledLetters } from "../../src/store/journal/retention.ts";
import { deleteResolved } from "../../src/store/mirror/conflicts.ts";
import { metered } from "./metered.ts";

/** What was settled after its trial's journal was pruned goes in its time too: a pass would read it again and again. */
const SETTLED = 5_000;
const MOST = 1_000;
const MOST_ROWS_READ = 50;
const PRUNED_AT = 1_000;
const SETTLED_AT = 2_000;
const BEFORE = 3_000;

beforeAll(async () => {
  const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${SETTLED})`;
  const queries = [
    `insert into streams (id, key, kind, trial_id, created_at, updated_at, last_seq, folded_seq, planned_seq, delivered_seq,
       pruned_at, pruned_seq)
     values (1, 'over', 'trial', 'over', 1, 1, 9, 9, 9, 9, ${PRUNED_AT}, 9), (2, 'on', 'trial', 'on', 1, 1, 9, 9, 9, 9, ${PRUNED_AT}, 8)`,
    `${numbers} insert into dead_letters (stream_id, kind, item, reason, state, created_at, settled_at)
     select 1, 'metric', i, 'because', 'dropped', 1, ${SETTLED_AT} from n`,
    `${numbers} insert into conflicts (stream_id, kind, field, refused, source, created_at, state, resolved_at)
     select 1, 'param', i, '1', 'journal', 1, 'resolved', ${SETTLED_AT} from n`,
    `insert into dead_letters (stream_id, kind, item, reason, state, created_at, settled_at)
     values (2, 'metric', 'not pruned', 'because', 'dropped', 1, ${SETTLED_AT})`,
    `insert into conflicts (stream_id, kind, field, refused, source, created_at, state, resolved_at)
     values (2, 'param', 'not pruned', '1', 'journal', 1, 'resolved', ${SETTLED_AT})`,
  ];
  await env.DB.batch(queries.map((query) => env.DB.prepare(query)));
});

test.each([
  ["dead letters", "dead_letters", deleteSettledLetters],
  ["conflicts", "conflicts", deleteResolved],
])("%s of a trial that was pruned before they were settled", async (_, table, forget) => {
  for (let pass = 0; pass < SETTLED / MOST; pass++) await forget(env.DB, BEFORE, MOST);
  const { db, meter } = metered(env.DB);
  expect(await forget(db, BEFORE, MOST)).toBe(0);
  expect(meter.rowsRead, meter.worst()).toBeLessThanOrEqual(MOST_ROWS_READ);
  const { results } = await env.DB.prepare(`select stream_id from ${table}`).all();
  expect(results).toEqual([{ stream_id: 2 }]);
});
