import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort, type MlflowServer, startMlflow } from "../../scripts/lib/mlflow-server.ts";
import { type OwnLab, openOwnLab } from "./lab.ts";
import { type Ask, shown } from "./transcript/ask.ts";
import { BODIES, NOWHERE } from "./transcript/bodies.ts";
import { documented, MEANT, meaningOf } from "./transcript/differences.ts";
import { EXPERIMENTS } from "./transcript/experiments.ts";
import { HISTORIES } from "./transcript/histories.ts";
import { LOGGING } from "./transcript/logging.ts";
import { RUNS } from "./transcript/runs.ts";
import { SEARCH } from "./transcript/search.ts";
import { Server } from "./transcript/server.ts";

/** One transcript of MLflow's clients, played to MLflow and to the relay: the same answers, but for what is meant. */

const PARTS: readonly [name: string, asks: readonly Ask[]][] = [
  ["experiments", EXPERIMENTS],
  ["runs", RUNS],
  ["what is logged", LOGGING],
  ["searches", SEARCH],
  ["histories", HISTORIES],
  ["bodies", BODIES],
  ["what is not there", NOWHERE],
];
const LIMIT_MS = 300_000;

let lab: OwnLab;
let dir: string;
let server: MlflowServer;
let mlflow: Server;
let relay: Server;
const met = new Set<string>();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "trial-relay-"));
  const port = await freePort();
  [lab, server] = await Promise.all([openOwnLab(), startMlflow({ port, dataDir: dir })]);
  mlflow = new Server((path, init) => fetch(server.uri + path, init));
  relay = new Server((path, init) => lab.relay.fetch(path, init));
});

afterAll(async () => {
  await Promise.all([lab?.close(), server?.stop()]);
  await rm(dir, { recursive: true, force: true });
});

describe("the relay answers as MLflow does", () => {
  test.each(PARTS)(
    "about %s",
    async (_name, asks) => {
      const wrong: string[] = [];
      for (const ask of asks) {
        const [expected, got] = await Promise.all([mlflow.ask(ask), relay.ask(ask)]);
        if (isDeepStrictEqual(expected, got)) continue;
        const meaning = meaningOf({ ask, mlflow: expected, relay: got });
        if (meaning === null)
          wrong.push(`${shown(ask)}\n  MLflow ${JSON.stringify(expected)}\n  relay  ${JSON.stringify(got)}`);
        else met.add(meaning);
      }
      expect(wrong).toEqual([]);
    },
    LIMIT_MS,
  );

  test("but where the document says so, and there it does not", () => {
    expect([...met].sort()).toEqual([...MEANT].sort());
    expect(documented()).toEqual(expect.arrayContaining(MEANT));
  });
});
