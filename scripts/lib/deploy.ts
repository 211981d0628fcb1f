import { chosenEnv } from "./asked.ts";
import { databaseOf, problemsOf } from "./deployable.ts";
import { migrate } from "./migrate.ts";
import { runWranglerHere, runWranglerWith } from "./wrangler.ts";
import { readEnvironment, readWranglerConfig } from "./wrangler-config.ts";

/**
 * Checks an environment's settings, migrates its database and deploys it.
 * @param env its name; null for the top level of wrangler.toml
 * @param options.wranglerArgs further arguments for `wrangler deploy`
 * @param options.dryRun leaves the database as it is
 * @returns the exit code of wrangler
 * @throws Error with what is in the way; no Worker was deployed then
 */
export async function deploy(
  env: string | null,
  { wranglerArgs = [], dryRun = false }: { wranglerArgs?: string[]; dryRun?: boolean } = {},
): Promise<number> {
  const top = readWranglerConfig();
  const others = Object.keys(top.env)
    .filter((name) => name !== env)
    .map(readEnvironment);
  const config = env === null ? top : readEnvironment(env);
  const problems = problemsOf(config, env === null ? others : [top, ...others]);
  if (problems.length > 0) throw new Error(problems.map((text) => `- ${text}`).join("\n"));
  const chosen = chosenEnv(env);
  const name = databaseOf(config)?.database_name ?? "";
  const migrated = dryRun
    ? 0
    : await migrate({ here: runWranglerHere, heard: runWranglerWith }, name, chosen);
  return migrated || runWranglerHere(["deploy", ...chosen, ...wranglerArgs]);
}
