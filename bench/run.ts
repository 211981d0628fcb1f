import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePort, startMlflow } from "../scripts/lib/mlflow-server.ts";
import { acknowledgement } from "./acknowledgement.ts";
import { costTables } from "./cost-tables.ts";
import { countCosts } from "./costs.ts";
import { delivery } from "./delivery.ts";
import { deliveryTable } from "./delivery-table.ts";
import { fileTable, measureFile } from "./file.ts";
import { trainingLoop, trainingLoopTable } from "./gateway.ts";
import { kindness } from "./kindness.ts";
import { measurePages } from "./pages.ts";
import { pagesTable } from "./pages-table.ts";
import { measureScale } from "./scale.ts";
import { scaleTables } from "./scale-tables.ts";
import { speedTables } from "./speed-tables.ts";
import { writePart } from "./write-part.ts";

/**
 * `npm run bench -- [--prices | --scale | --loop | --delivery | --pages | --file] [--write | --json]`: the figures of docs/benchmarks.md as its tables, which
 * `--write` puts into it, or as one JSON object. Local figures, from local workerd and SQLite; read the ratios, and what is counted.
 *
 * With `--prices` only what is counted, with its price; with `--scale` the same and the answers' times over a long past;
 * with `--loop` only what MLflow's own client adds to a training loop; with `--delivery` only how fast a backlog is
 * brought to MLflow; with `--pages` only what a browser waits for;
 * with `--file` only a file of 1 GB on its way, and what it takes of memory.
 */
const { values } = parseArgs({
  options: {
    prices: { type: "boolean", default: false },
    scale: { type: "boolean", default: false },
    loop: { type: "boolean", default: false },
    delivery: { type: "boolean", default: false },
    pages: { type: "boolean", default: false },
    file: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});

// What was started ends with this process, if it ends in order.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
const dir = mkdtempSync(join(tmpdir(), "trial-relay-bench-"));
const say = (line: string) => console.error(line);
say("starting MLflow");
const mlflow = await startMlflow({ port: await freePort(), dataDir: join(dir, "mlflow"), report: say });

try {
  if (values.scale) {
    const stages = await measureScale(join(dir, "scale"), mlflow.uri, say);
    print(stages, { scale: scaleTables(stages) });
  } else if (values.prices) {
    const costs = await countCosts(join(dir, "costs"), mlflow.uri, say);
    print(costs, { costs: costTables(costs) });
  } else if (values.pages) {
    const pages = await measurePages(join(dir, "pages"), mlflow.uri, say);
    print(pages, { pages: pagesTable(pages) });
  } else if (values.file) {
    const file = await measureFile(join(dir, "file"), mlflow.uri, say);
    print(file, { file: fileTable(file) });
  } else if (values.loop) {
    const loop = await trainingLoop(join(dir, "loop"), mlflow.uri, say);
    print(loop, { loop: trainingLoopTable(loop) });
  } else if (values.delivery) {
    await mlflow.stop();
    const delivered = await delivery(join(dir, "delivery"), say);
    print(delivered, { delivery: deliveryTable(delivered) });
  } else {
    const loop = await trainingLoop(join(dir, "loop"), mlflow.uri, say);
    say("acknowledgement: one connection, one call after the other");
    const acknowledged = await acknowledgement(join(dir, "ack"), mlflow.uri);
    say("kindness: MLflow calls for single-metric events, counted by a proxy");
    const calls = await kindness(join(dir, "kindness"), mlflow.uri);
    const costs = await countCosts(join(dir, "costs"), mlflow.uri, say);
    await mlflow.stop();
    const delivered = await delivery(join(dir, "delivery"), say);
    const speed = { acknowledgement: acknowledged, kindness: calls };
    print(
      { loop, ...speed, delivery: delivered, costs },
      {
        loop: trainingLoopTable(loop),
        speed: speedTables(speed),
        delivery: deliveryTable(delivered),
        costs: costTables(costs),
      },
    );
  }
} finally {
  await mlflow.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** @param parts the figures' tables, by the part of the document that they are */
function print(figures: object, parts: Record<string, string>): void {
  if (values.json) {
    console.log(JSON.stringify({ ...setup(), figures }, null, 1));
    return;
  }
  for (const [part, tables] of Object.entries(parts)) {
    const text = `${tables}\n\n${setupLine()}`;
    if (values.write) writePart(part, text);
    console.log(`${text}\n`);
  }
}

function setup() {
  const packages = JSON.parse(readFileSync("package.json", "utf8"));
  const requirement = readFileSync("requirements/mlflow-3.txt", "utf8");
  return {
    machine: `${cpus().length} × ${cpus()[0]?.model ?? "unknown"}`,
    versions: {
      node: process.version,
      wrangler: packages.devDependencies.wrangler,
      mlflow: /mlflow==(\S+)/.exec(requirement)?.[1],
    },
  };
}

function setupLine(): string {
  const { machine, versions } = setup();
  return `${machine}; Node ${versions.node}, wrangler ${versions.wrangler}, MLflow ${versions.mlflow} on SQLite.`;
}
