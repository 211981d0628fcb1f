/**
 * The tables. Times are epoch milliseconds. `seq` is the order of acceptance within a stream, given by the database.
 * Tables marked WITHOUT ROWID in the migration are clustered by their primary key, which halves the
 * rows written; Drizzle cannot say so, so it was added to the generated SQL by hand.
 */
export * from "./artifacts.ts";
export * from "./delivery.ts";
export * from "./folded.ts";
export * from "./gateway.ts";
export * from "./jobs.ts";
export * from "./journal.ts";
export * from "./mirror.ts";
export * from "./ops.ts";
export * from "./sides.ts";
export * from "./streams.ts";
export * from "./tallies.ts";
