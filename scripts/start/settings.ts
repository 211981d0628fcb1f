import { randomBytes } from "node:crypto";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDevVars } from "../lib/dev-vars.ts";
import { hasCode } from "../lib/lock.ts";
import { ROOT } from "../lib/wrangler.ts";

const DEV_VARS = join(ROOT, ".dev.vars");
/** Settings of these scripts, not of the Worker. */
const OWN = new Set(["RELAY_PORT", "RELAY_URL", "RELAY_TOKEN", "MLFLOW_PORT"]);

export type Settings = {
  relayPort: number;
  mlflowPort: number;
  /** The Worker's environment: .dev.vars, and over it MLFLOW_* and RELAY_* of this process's environment. */
  vars: Record<string, string>;
  tokenIsNew: boolean;
};

/** Collects the settings of a local start; makes a token in .dev.vars if there is none. */
export async function loadSettings(env: NodeJS.ProcessEnv): Promise<Settings> {
  const text = await readDevVars();
  const tokenIsNew = !parseDevVars(text).ADMIN_TOKEN;
  const vars = parseDevVars(tokenIsNew ? await addToken(text) : text);
  for (const [name, value] of Object.entries(env)) {
    if (/^(MLFLOW|RELAY)_/.test(name) && !OWN.has(name) && value) vars[name] = value;
  }
  return {
    relayPort: port("RELAY_PORT", env.RELAY_PORT, 8787),
    mlflowPort: port("MLFLOW_PORT", env.MLFLOW_PORT, 5000),
    vars,
    tokenIsNew,
  };
}

/** The variables in .dev.vars; none if there is no such file. */
export async function readLocalVars(): Promise<Record<string, string>> {
  return parseDevVars(await readDevVars());
}

async function readDevVars(): Promise<string> {
  try {
    return await readFile(DEV_VARS, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return "";
    throw error;
  }
}

async function addToken(text: string): Promise<string> {
  const others = text.split("\n").filter((line) => line !== "" && !/^\s*ADMIN_TOKEN\s*=/.test(line));
  const withToken = `${[...others, `ADMIN_TOKEN=${randomBytes(32).toString("base64url")}`].join("\n")}\n`;
  await writeFile(DEV_VARS, withToken, { mode: 0o600 });
  await chmod(DEV_VARS, 0o600); // a file that was there keeps its mode otherwise
  return withToken;
}

function port(name: string, value: string | undefined, fallback: number): number {
  const number = Number(value || fallback);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new Error(`${name}=${value} is not a port.`);
  return number;
}
