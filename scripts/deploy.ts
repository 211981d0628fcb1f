import { runWranglerHere } from "./lib/wrangler.ts";
import { readWranglerConfig } from "./lib/wrangler-config.ts";

const config = readWranglerConfig();
const database = config.d1_databases[0];
const problems = [mlflowProblem(config.vars.MLFLOW_TRACKING_URI), databaseProblem()].filter(
  (text) => text !== null,
);

if (problems.length > 0) {
  console.error(`Not deployed:\n${problems.map((text) => `- ${text}`).join("\n")}`);
  process.exit(1);
}
process.exitCode =
  (await runWranglerHere(["d1", "migrations", "apply", database?.database_name ?? "", "--remote"])) ||
  (await runWranglerHere(["deploy", ...process.argv.slice(2)]));

/** Cloudflare cannot reach this computer, so an MLflow address that only exists here would block every delivery. */
function mlflowProblem(uri: unknown): string | null {
  if (typeof uri !== "string" || !URL.canParse(uri))
    return "MLFLOW_TRACKING_URI under [vars] in wrangler.toml is not a URL.";
  const { hostname } = new URL(uri);
  const isLocal = /^(localhost|.*\.localhost|127\..*|0\.0\.0\.0|\[::1?\])$/.test(hostname);
  if (!isLocal) return null;
  return `MLFLOW_TRACKING_URI under [vars] in wrangler.toml is ${uri}: set the address at which Cloudflare reaches your MLflow server.`;
}

function databaseProblem(): string | null {
  if (database?.database_id) return null;
  return "wrangler.toml has no database_id. Run `npx wrangler d1 create trial-relay` once, then copy the database_id that it prints under [[d1_databases]].";
}
