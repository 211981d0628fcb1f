import * as z from "zod";
import { type BenchRelay, benchRelay } from "./relay.ts";
import { study } from "./study.ts";

/** What an event takes of the database while MLflow does not have it, by the way it is sent. */
export type Room = { way: string; bytes: number };

const WAYS = [
  { way: "requests of 100", requests: 200, events: 100 },
  { way: "one by one", requests: 4_000, events: 1 },
];

/** Events of one metric each, journalled and folded with MLflow switched off, each way in a database of its own. */
export async function measureRoom(stateDir: string): Promise<Room[]> {
  const rooms: Room[] = [];
  for (const [n, { way, requests, events }] of WAYS.entries()) {
    const relay = await benchRelay(`${stateDir}-${n}`, { MLFLOW_ENABLED: "false" });
    const sent = study("room");
    await relay.post(sent.start("only"));
    const before = await databaseBytes(relay);
    for (let i = 0; i < requests; i++) await relay.post(sent.metrics("only", i * events, events));
    await relay.settled();
    rooms.push({ way, bytes: ((await databaseBytes(relay)) - before) / (requests * events) });
    await relay.stop();
  }
  return rooms;
}

/** The database's size as the relay itself says it. */
export async function databaseBytes(relay: BenchRelay): Promise<number> {
  const metrics = await relay.ask("/metrics");
  return z.coerce.number().parse(/^relay_database_size_bytes (\S+)$/m.exec(metrics)?.[1]);
}
