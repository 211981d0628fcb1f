import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { checkAsked, chosenEnv, environmentMeant } from "./lib/asked.ts";
import { deploy } from "./lib/deploy.ts";
import { withDatabaseId } from "./lib/toml.ts";
import { ROOT, runWranglerWith } from "./lib/wrangler.ts";
import { readEnvironment, readWranglerConfig } from "./lib/wrangler-config.ts";
import {
  ensureBuckets,
  ensureDatabase,
  ensureQueues,
  ensureSecrets,
  ensureSignedIn,
  type World,
} from "./setup/steps.ts";

/**
 * `npm run setup [-- --env NAME] [--location weur]`: makes on Cloudflare what is missing, database, queues and
 * secrets, then migrates and deploys. Run again it makes nothing twice.
 */
const TOML = join(ROOT, "wrangler.toml");

const world: World = {
  wrangler: runWranglerWith,
  ask: async (question) => {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    try {
      return (await terminal.question(question)).trim();
    } finally {
      terminal.close();
    }
  },
  noteDatabaseId: async (name, id) => writeFile(TOML, withDatabaseId(await readFile(TOML, "utf8"), name, id)),
  say: (line) => console.log(`- ${line}`),
};

try {
  checkAsked("setup", process.env);
  const { values } = parseArgs({
    options: { env: { type: "string", short: "e" }, location: { type: "string" } },
  });
  const env = environmentMeant("setup", values.env, Object.keys(readWranglerConfig().env));
  const read = () => (env === null ? readWranglerConfig() : readEnvironment(env));
  await ensureSignedIn(world);
  await ensureDatabase(world, read(), values.location ?? null);
  await ensureQueues(world, read());
  await ensureBuckets(world, read());
  const token = await ensureSecrets(world, read(), chosenEnv(env));
  try {
    process.exitCode = await deploy(env);
  } finally {
    // What migrations print would have scrolled it away.
    if (token !== null) world.say(`ADMIN_TOKEN, which is not shown again: ${token}`);
  }
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`Not set up yet:\n${error.message}`);
  process.exitCode = 1;
}
