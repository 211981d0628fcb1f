import { parseArgs } from "node:util";
import { checkAsked, environmentMeant } from "./lib/asked.ts";
import { deploy } from "./lib/deploy.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";

/** `npm run deploy [-- --env NAME] [--dry-run]`, and whatever else `wrangler deploy` takes, behind another `--`. */
try {
  const { values, positionals } = parseArgs({
    options: { env: { type: "string", short: "e" }, "dry-run": { type: "boolean", default: false } },
    allowPositionals: true,
  });
  checkAsked("deploy", process.env, positionals);
  const dryRun = values["dry-run"];
  const wranglerArgs = [...(dryRun ? ["--dry-run"] : []), ...positionals];
  const env = environmentMeant("deploy", values.env, Object.keys(readWranglerConfig().env));
  process.exitCode = await deploy(env, { dryRun, wranglerArgs });
} catch (error) {
  if (!(error instanceof Error)) throw error;
  console.error(`Not deployed:\n${error.message}`);
  process.exitCode = 1;
}
