import { table } from "../test/chaos/table.ts";
import type { Cost } from "./cost.ts";
import type { Costs } from "./costs.ts";
import { allIn, EVENTS_A_TRIAL, priceOfAMillion } from "./price.ts";
import prices from "./prices.json" with { type: "json" };
import { round } from "./stats.ts";
import type { Figure } from "./turns.ts";

const PASSES_A_MONTH = 8_640;
/** As it is unless set. */
const MAX_DATABASE_MB = 9_000;
/** Events a second. */
const LOADS = [1, 10, 100, 1_000];
const DAY_SECONDS = 86_400;
/** The documentation's example of a quick query, of which one database does a thousand a second. */
const DOCUMENTED_QUERY_MS = 1;

/** The counted figures in markdown. */
export function costTables(costs: Costs): string {
  const events = costs.ways.map((way) => ({ ...way, allIn: allIn(way, costs.aTrial, costs.afterwards) }));
  return [
    "## What requests, turns and passes cost",
    "Counted by D1's own `meta` on the real build, in local workerd. The times are local and in whole milliseconds.",
    figures("request", costs.requests),
    figures("turn of the consumer", costs.turns),
    "The first of these are two turns side by side, the model run's and its trial's; what an invocation stores of its counts, every few seconds, is in whichever turn it comes with.",
    figures("pass of the cron", costs.passes),
    "## What a million events cost",
    `An event with all that comes of it: sent and delivered, its part of the start and the end of a trial of ${EVENTS_A_TRIAL} events, confirmed, read back, pruned, and its id forgotten.`,
    table(
      events.map(({ way, anEvent, allIn: cost }) => ({
        "an event, by the way it is sent": way,
        statements: few(cost.statements),
        "round trips": few(cost.roundTrips),
        "rows read": few(cost.rowsRead),
        "rows written": few(cost.rowsWritten),
        "of these until it is in MLflow": few(anEvent.rowsWritten),
        invocations: few(cost.invocations),
        "queue operations": few(cost.queueOperations),
      })),
    ),
    table(
      events.map(({ way, allIn: cost }) => {
        const { all, ...items } = priceOfAMillion(cost, prices);
        const shown = Object.entries(items).map(([name, dollars]) => [name, round(dollars)]);
        return { "dollars a million": way, ...Object.fromEntries(shown), "all, without CPU": round(all) };
      }),
    ),
    `Prices of ${prices.read_on}: ${prices.plan} (\`bench/prices.json\`). CPU time is unknown, since nothing here can measure Cloudflare's: each millisecond of it an event is ${prices.cpu_ms.per_million} dollars more a million. The cron's ${PASSES_A_MONTH} passes a month cost ${costs.passes.map(({ what, cost }) => `${round(passPrice(cost))} dollars (${what})`).join(", ")}.`,
    "## How many events one database carries",
    "D1 does one statement after the other. Measured here are the statements and the time that the database spends on an event until it is in MLflow; derived is how many a second fit, a statement taking the millisecond of Cloudflare's documentation, or what it took here where that is more. It is a bound from above: the documentation gives writes several milliseconds, more the more rows they write.",
    table(
      events.map(({ way, anEvent }) => ({
        "an event, by the way it is sent": way,
        "statements, measured": round(anEvent.statements, 3),
        "ms in the database, measured": round(anEvent.sqlMs, 3),
        "events a second, derived": round(carried(anEvent), 0),
      })),
    ),
    "## How long an outage may last",
    `What events take of the database until MLflow has them, each of one metric, and how long MLflow may be away until \`RELAY_MAX_DATABASE_MB\` is reached: by default ${MAX_DATABASE_MB}, from which on new events are answered 503.`,
    table(
      costs.room.map(({ way, bytes }) => ({
        "an event, by the way it is sent": way,
        bytes: round(bytes, 0),
        ...Object.fromEntries(
          LOADS.map((load) => [
            `days at ${load} a second`,
            few((MAX_DATABASE_MB * 1e6) / bytes / load / DAY_SECONDS),
          ]),
        ),
      })),
    ),
  ].join("\n\n");
}

/** Costs as a table of counts. */
export function figures(of: string, all: readonly Figure[]): string {
  return table(
    all.map(({ what, cost }) => ({
      [of]: what,
      statements: cost.statements,
      "round trips": cost.roundTrips,
      "rows read": cost.rowsRead,
      "rows written": cost.rowsWritten,
      "queue operations": cost.queueOperations,
      "ms of SQL here": round(cost.sqlMs, 1),
    })),
  );
}

/**
 * Events a second that one database carries at most: it does one statement after the other, each of the documentation's
 * millisecond, or for as long as all of an event's took here, whichever is more.
 */
function carried({ statements, sqlMs }: Cost): number {
  return 1_000 / Math.max(statements * DOCUMENTED_QUERY_MS, sqlMs);
}

function passPrice(cost: Cost): number {
  return priceOfAMillion(cost, prices).all * (PASSES_A_MONTH / 1_000_000);
}

const few = (value: number) => round(value, value < 10 ? 2 : 0);
