import * as z from "zod";
import { type Core, emptyCore } from "../../domain/core.ts";
import { QUIET_STATUSES, TERMINAL_STATUSES } from "../../domain/facts-schema.ts";
import { reasonsAmong } from "../../domain/reasons.ts";
import { allRoom } from "../../domain/room.ts";
import { type Lifecycle, noLifecycle } from "../../domain/status.ts";
import { RUN_STATUSES } from "../../domain/words.ts";
import { isLasting } from "./lasting.ts";

/** The JSON column of a folded state, checked as it is read. */

const instant = z.object({ at: z.number(), id: z.string() });
const terminal = z.enum(TERMINAL_STATUSES);
const end = instant.extend({ seq: z.number(), acceptedAt: z.number(), endedAt: z.number().optional() });
const quietStatus = z.enum(QUIET_STATUSES);

const reset = z.object({
  seq: z.number(),
  over: z.number(),
  at: z.number(),
  resumed: z.object({ acceptedAt: z.number(), at: z.number() }).nullable(),
  says: z.object({ status: terminal, endedAt: z.number() }).nullable(),
});
const lifecycle: z.ZodType<Lifecycle> = z.object({
  reset: reset.nullable(),
  outweighed: reset.optional(),
  ends: z.partialRecord(terminal, z.array(end)),
  heardSeq: z.number(),
  quiet: z.object({ seq: z.number(), over: z.number(), heardAt: z.number(), as: quietStatus }).nullable(),
});

/** As an older build stored it, which knew of times only. */
const olderLifecycle = z
  .object({
    resumedAt: z.number().nullable(),
    ends: z.partialRecord(terminal, instant.extend({ endedAt: z.number().optional() })),
    heardAt: z.number().default(0),
    quiet: z.object({ foundAt: z.number(), heardAt: z.number(), as: quietStatus }).nullable().default(null),
  })
  .transform(({ resumedAt, ends, heardAt, quiet }): Lifecycle => {
    const before = { seq: 0, over: 0 };
    const isHeardSince = quiet !== null && quiet.foundAt <= heardAt;
    return {
      reset:
        resumedAt === null
          ? null
          : { ...before, at: resumedAt, resumed: { acceptedAt: 0, at: resumedAt }, says: null },
      ends: Object.fromEntries(
        Object.entries(ends).map(([status, end]) => [status, [{ ...end, seq: 0, acceptedAt: 0 }]]),
      ),
      heardSeq: isHeardSince ? 1 : 0,
      quiet: quiet && { ...before, heardAt: quiet.heardAt, as: quiet.as },
    };
  });

const columns = z.object({
  announced: z.boolean(),
  // A state that an older build stored lacks what a newer one added.
  started: z.boolean().default(false),
  startedAt: z.number().nullable(),
  maxStep: z.number().nullable(),
  lifecycle: z.union([lifecycle, olderLifecycle]),
  goesOn: z
    .object({ seq: z.number().default(-1), step: z.number() })
    .nullable()
    .default(null),
  run: z
    .object({
      status: z.enum(RUN_STATUSES),
      startTime: z.number().nullable(),
      endTime: z.number().nullable(),
    })
    .nullable()
    .default(null),
  fields: z.record(z.string(), instant.extend({ value: z.json() })),
  reasons: z
    .object({
      named: z.array(z.string()),
      said: z.partialRecord(terminal, z.array(end.extend({ texts: z.record(z.string(), z.json()) }))),
      apart: z.record(z.string(), end.extend({ value: z.string().nullable() })).default({}),
    })
    .optional(),
  room: z.object({ params: z.number(), tags: z.number(), metrics: z.number() }).default(allRoom),
});
// In the order in which it is written, so that what did not change is the same text.
const core = columns.transform(
  ({ fields, reasons, room, ...read }): Core => ({
    ...read,
    ...(reasons ? { fields, reasons } : reasonsAmong(fields, read.lifecycle)),
    room,
  }),
);

/** The part of it that tells the status; null: nothing is folded yet. */
export function readLifecycle(text: string | null): Lifecycle {
  return text === null ? noLifecycle : z.union([lifecycle, olderLifecycle]).parse(JSON.parse(text));
}

export function readCore(text: string | null): Core {
  return text === null ? emptyCore : core.parse(JSON.parse(text));
}

/** The same, or null where it is not as it should be. */
export function readableCore(text: string | null): Core | null {
  try {
    return readCore(text);
  } catch (error) {
    if (isLasting(error)) return null;
    throw error;
  }
}
