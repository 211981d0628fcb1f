import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, type MlflowServer } from "../../scripts/lib/mlflow-server.ts";
import { startOwnMlflow } from "../lib/own-mlflow.ts";
import { Relay } from "../lib/relay.ts";
import { type OwnLab, openOwnLab, whatIsMade } from "./lab.ts";
import { type Ask, shown } from "./transcript/ask.ts";
import { BODIES, NOWHERE } from "./transcript/bodies.ts";
import { documented, MEANT, meaningOf } from "./transcript/differences.ts";
import { EXPERIMENTS } from "./transcript/experiments.ts";
import { HISTORIES } from "./transcript/histories.ts";
import { LOGGING } from "./transcript/logging.ts";
import { MODELS } from "./transcript/models.ts";
import { RUNS } from "./transcript/runs.ts";
import { SEARCH } from "./transcript/search.ts";
import { type Answer, Server } from "./transcript/server.ts";

/**
 * One transcript of MLflow's clients, played to MLflow, to a relay before another MLflow, and to a relay whose MLflow is
 * away: the same answers, but for what is meant.
 */

const PARTS: readonly [name: string, asks: readonly Ask[]][] = [
  ["experiments", EXPERIMENTS],
  ["runs", RUNS],
  ["what is logged", LOGGING],
  ["searches", SEARCH],
  ["histories", HISTORIES],
  ["logged models", MODELS],
  ["bodies", BODIES],
  ["what is not there", NOWHERE],
];

let lab: OwnLab;
let away: Relay;
let dir: string;
let server: MlflowServer;
const met = new Set<string>();

/** Who is played to, MLflow first. */
let mlflow: Server;
let relays: { relay: Server; isAway: boolean }[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const [port, nobody] = [await freePort(), await freePort()];
  const made = await whatIsMade();
  [lab, away, server] = await Promise.all([
    openOwnLab(),
    Relay.start(join(dir, "away"), `http://127.0.0.1:${nobody}`, {}, { made }),
    startOwnMlflow({ port, dataDir: join(dir, "mlflow") }),
  ]);
  mlflow = new Server((path, init) => fetch(server.uri + path, init));
  relays = [
    { relay: new Server((path, init) => lab.relay.fetch(path, init)), isAway: false },
    { relay: new Server((path, init) => away.fetch(path, init)), isAway: true },
  ];
});

afterAll(async () => {
  await Promise.all([lab?.close(), away?.destroy(), server?.stop()]);
  await rm(dir, { recursive: true, force: true });
});

describe("the relay answers as MLflow does", () => {
  test.each(PARTS)("about %s", async (_name, asks) => {
    const wrong: string[] = [];
    for (const ask of asks) {
      const [expected, ...answers] = await Promise.all([
        mlflow.ask(ask),
        ...relays.map(async ({ relay, isAway }) => ({ isAway, relay: await relay.ask(ask) })),
      ]);
      for (const answer of answers) {
        if (isDeepStrictEqual(expected, answer.relay)) continue;
        const meaning = meaningOf({ ask, mlflow: expected, ...answer });
        if (meaning === null) wrong.push(told(ask, expected, answer));
        else met.add(meaning);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("but where the document says so, and there it does not", () => {
    expect([...met].sort()).toEqual([...MEANT].sort());
    expect(documented()).toEqual(expect.arrayContaining(MEANT));
  });
});

function told(ask: Ask, expected: Answer, { relay, isAway }: { relay: Answer; isAway: boolean }): string {
  const who = isAway ? "relay without MLflow" : "relay";
  return `${shown(ask)}\n  MLflow ${JSON.stringify(expected)}\n  ${who} ${JSON.stringify(relay)}`;
}
