import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseConfig, withoutCredentials } from "../src/config.ts";
import { isPortFree } from "./lib/ports.ts";
import { startRelay } from "./lib/relay-process.ts";
import { ROOT } from "./lib/wrangler.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";
import { alone } from "./start/alone.ts";
import { checkMlflow } from "./start/check-mlflow.ts";
import { keepCron } from "./start/cron.ts";
import { keepMlflow } from "./start/keep-mlflow.ts";
import { onceOrphaned } from "./start/orphaned.ts";
import { isOwnAddress } from "./start/own-address.ts";
import { openRelayLog } from "./start/relay-log.ts";
import { loadSettings, type Settings } from "./start/settings.ts";
import { welcome } from "./start/welcome.ts";

const MLFLOW_DATA = join(ROOT, ".data", "mlflow");
const RELAY_LOG = join(ROOT, ".data", "relay.log");
const LOCK = join(ROOT, ".data", "start.lock");
/** npm passes a Ctrl-C on to a process that already had it from the terminal. */
const SAME_CTRL_C_MS = 500;

const say = (line: string) => console.log(line.replaceAll(/^/gm, "  "));
const stops: (() => Promise<void>)[] = [];
let stoppingSince: number | null = null;
let isAlone = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stopAll(0));
onceOrphaned(() => void stopAll(0));
alone(LOCK, main).catch((error: unknown) => {
  if (stoppingSince === null) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  void stopAll(1);
});

async function main(): Promise<void> {
  isAlone = true;
  const settings = await loadSettings(process.env);
  // With a wrong one the Worker would start, and answer nothing.
  parseConfig({ ...readWranglerConfig().vars, ...settings.vars });
  if (isOwnAddress(settings.vars.MLFLOW_TRACKING_URI ?? "", settings.relayPort))
    throw new Error(
      "MLFLOW_TRACKING_URI is this relay's own address, as trainers have it: it would deliver to itself. Unset it, and MLFLOW_TRACKING_TOKEN, where you run `npm start`.",
    );
  await assertFree("RELAY_PORT", settings.relayPort);
  const isOwnMlflow = !settings.vars.MLFLOW_TRACKING_URI;
  const mlflow = await (isOwnMlflow ? startOwnMlflow(settings) : useGivenMlflow(settings));

  const relay = await startRelay({
    port: settings.relayPort,
    stateDir: join(ROOT, ".wrangler", "state"),
    vars: { ...settings.vars, MLFLOW_TRACKING_URI: mlflow },
    report: (line) => say(`Relay: ${line}`),
    inheritLog: openRelayLog(RELAY_LOG, (line) => say(`Relay: ${line}`)),
  });
  const ending = new AbortController();
  stops.push(() => relay.stop());
  stops.push(async () => ending.abort());
  void keepCron(relay.cron, ending.signal, say);

  const shown = {
    relayLog: relative(ROOT, RELAY_LOG),
    mlflowLog: isOwnMlflow ? relative(ROOT, join(MLFLOW_DATA, "mlflow.log")) : null,
  };
  const at = { relay: relay.url, mlflow: withoutCredentials(mlflow) };
  console.log(welcome({ ...at, tokenIsNew: settings.tokenIsNew, ...shown }));
  const code = await relay.exited;
  if (stoppingSince === null)
    throw new Error(`The relay has ended (${code ?? "killed"}). The end of its log:\n${relay.logTail()}`);
}

async function startOwnMlflow({ mlflowPort: port }: Settings): Promise<string> {
  await assertFree("MLFLOW_PORT", port);
  say("MLflow: starting (its first start installs it and makes its database)");
  stops.push(await keepMlflow({ port, dataDir: MLFLOW_DATA, report: say }));
  return `http://127.0.0.1:${port}`;
}

async function useGivenMlflow({ vars }: Settings): Promise<string> {
  const problem = await checkMlflow(vars);
  if (problem)
    say(`Warning: ${problem}. The relay starts anyway, keeps every event and delivers when MLflow is there.`);
  return vars.MLFLOW_TRACKING_URI ?? "";
}

async function assertFree(name: string, port: number): Promise<void> {
  if (await isPortFree(port)) return;
  throw new Error(
    `Port ${port} is in use. Stop what uses it, or choose another: ${name}=${port + 1} npm start`,
  );
}

async function stopAll(code: number): Promise<void> {
  if (stoppingSince !== null) {
    if (Date.now() - stoppingSince > SAME_CTRL_C_MS) process.exit(130);
    return;
  }
  stoppingSince = Date.now();
  if (stops.length > 0) say("Stopping ...");
  for (const stop of stops.reverse()) await stop();
  if (stops.length > 0) say("Stopped.");
  // This process ends before the lock would be given back.
  if (isAlone) await rm(LOCK, { recursive: true, force: true });
  process.exit(code);
}
