/** What some work cost the platform, counted by the platform itself. */
export type Cost = {
  /** Requests, batches of messages, or passes of the cron. */
  invocations: number;
  statements: number;
  /** To the database, one after the other or not. */
  roundTrips: number;
  rowsRead: number;
  rowsWritten: number;
  /** Of the database, here. */
  sqlMs: number;
  /** Billed by Queues: a write and a delete a message, and a read each time that it is handed out, in pieces of 64 kB. */
  queueOperations: number;
};

export const NO_COST: Cost = {
  invocations: 0,
  statements: 0,
  roundTrips: 0,
  rowsRead: 0,
  rowsWritten: 0,
  sqlMs: 0,
  queueOperations: 0,
};

export const plus = (a: Cost, b: Cost): Cost => each((name) => a[name] + b[name]);
export const minus = (a: Cost, b: Cost): Cost => each((name) => a[name] - b[name]);
export const times = (cost: Cost, factor: number): Cost => each((name) => cost[name] * factor);

function each(value: (name: keyof Cost) => number): Cost {
  return {
    invocations: value("invocations"),
    statements: value("statements"),
    roundTrips: value("roundTrips"),
    rowsRead: value("rowsRead"),
    rowsWritten: value("rowsWritten"),
    sqlMs: value("sqlMs"),
    queueOperations: value("queueOperations"),
  };
}
