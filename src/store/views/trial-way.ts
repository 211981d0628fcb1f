/** How far one trial is on its way to MLflow, in numbers that stay cheap however long it is. */

/** More than so many events that wait are not counted. */
export const MANY_WAITING = 1_000;

/** Of each, whether everything that was accepted has come so far; `waiting`: events that MLflow has not, as far as they were counted. */
export type TrialWay = {
  isFolded: boolean;
  isPlanned: boolean;
  isDelivered: boolean;
  waiting: number;
  deadLetters: number;
  blockedKind: string | null;
  attempts: number;
  /** Epoch milliseconds. */
  nextAttemptAt: number;
  prunedAt: number | null;
};

type Row = { [Name in keyof TrialWay]: TrialWay[Name] extends boolean ? 0 | 1 : TrialWay[Name] };

export async function readTrialWay(db: D1Database, streamId: number): Promise<TrialWay | null> {
  const row = await db.prepare(WAY).bind(streamId).first<Row>();
  return (
    row && {
      ...row,
      isFolded: row.isFolded === 1,
      isPlanned: row.isPlanned === 1,
      isDelivered: row.isDelivered === 1,
    }
  );
}

const WAY = `
  select folded_seq >= last_seq as isFolded, planned_seq >= last_seq as isPlanned,
    delivered_seq >= last_seq as isDelivered,
    (select count(*) from (select 1 from events e where e.stream_id = s.id and e.seq > s.delivered_seq
      limit ${MANY_WAITING + 1})) as waiting,
    (select count(*) from dead_letters d where d.stream_id = s.id and +d.state = 'open') as deadLetters,
    blocked_kind as blockedKind, attempts, next_attempt_at as nextAttemptAt, pruned_at as prunedAt
  from streams s where s.id = ?1`;
