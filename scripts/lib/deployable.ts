import { ConfigError, parseConfig, SETTINGS } from "../../src/config.ts";
import { unreachable } from "./reachable.ts";
import type { WranglerConfig } from "./wrangler-config.ts";

const PRODUCERS = ["TRIALS", "JOBS", "FILES"];
/** Without them nobody is limited, guesses of tokens neither, and every request says so in the log. */
const LIMITS = ["INGEST_LIMIT", "STRANGER_LIMIT"];
/** The secret without which the Worker refuses everything. */
const FIRST_TOKEN = "ADMIN_TOKEN";
/** What need not be among the variables: it may be a secret, which nobody can look at here. */
const MAY_BE_SECRET = {
  ADMIN_TOKEN: "a-secret-that-is-not-seen",
  MLFLOW_TRACKING_USERNAME: "somebody",
  RELAY_ACCESS_TEAM: "some",
  RELAY_ACCESS_AUD: "something",
};
/** The way into a private network, where any name and any address is as good. */
const PRIVATE_WAY = "MLFLOW_VPC";
const DEAD_LETTER_QUEUES = "RELAY_DEAD_LETTER_QUEUES";

/**
 * What must be mended in wrangler.toml before this can be deployed, a sentence each.
 * @param others settings of other environments. With those that are deployed, which is those that have a database,
 *   neither that nor a queue may be shared
 */
export function problemsOf(config: WranglerConfig, others: readonly WranglerConfig[] = []): string[] {
  const deployed = others.filter((other) => other.d1_databases.some(({ database_id }) => database_id));
  const ofAddress = mlflowProblems(config);
  return [
    ...ofAddress,
    ...settingsProblems(config, ofAddress.length > 0),
    ...nameProblems(config, deployed),
    ...databaseProblems(config, deployed),
    ...queueProblems(config, deployed),
    ...limitProblems(config),
  ];
}

/** The database that the Worker uses. */
export function databaseOf({
  d1_databases,
}: WranglerConfig): WranglerConfig["d1_databases"][number] | undefined {
  return d1_databases.find(({ binding }) => binding === "DB");
}

function mlflowProblems(config: WranglerConfig): string[] {
  const { vars, vpc_services } = config;
  const uri = vars.MLFLOW_TRACKING_URI;
  if (typeof uri === "string" && isWorkers(uri, config))
    return ["MLFLOW_TRACKING_URI under [vars] is the relay's own address: it would deliver to itself."];
  if (typeof uri === "string" && vpc_services.some(({ binding }) => binding === PRIVATE_WAY)) return [];
  const problem = typeof uri === "string" ? unreachable(uri) : "is not set.";
  return problem === null ? [] : [`MLFLOW_TRACKING_URI under [vars]: ${problem}`];
}

function isWorkers(uri: string, { name, route, routes = [] }: WranglerConfig): boolean {
  const host = URL.parse(uri)?.hostname ?? "";
  // A route that is no domain of the Worker's own has a server behind it, which the Worker fetches past it.
  const isDomain = [...routes, ...(route ? [route] : [])].some(
    (at) => typeof at !== "string" && at.custom_domain === true && at.pattern.toLowerCase() === host,
  );
  return isDomain || (host.startsWith(`${name}.`) && host.endsWith(".workers.dev"));
}

/** The variables by the Worker's own rules, but for an address of which something is said already: with a wrong one it answers nothing. */
function settingsProblems({ vars, secrets }: WranglerConfig, butAddress: boolean): string[] {
  const { MLFLOW_TRACKING_URI: address, ...rest } = vars;
  const others: Record<string, unknown> = butAddress ? rest : { ...rest, MLFLOW_TRACKING_URI: address };
  const problems = secrets.required.includes(FIRST_TOKEN)
    ? []
    : [`${FIRST_TOKEN} is not among those required under [secrets]. An environment inherits none.`];
  try {
    parseConfig({ ...MAY_BE_SECRET, ...others });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [name = ""] = error.message.split(" ");
    const quotes = typeof (others[name] ?? "") === "string" ? "" : "; write it as text, in quotes";
    problems.push(`Under [vars] ${error.message}${quotes}.`);
  }
  for (const name of Object.keys(vars))
    if (/^(RELAY|MLFLOW)_/.test(name) && !SETTINGS.includes(name))
      problems.push(`Under [vars] ${name} is no setting: docs/settings.md has them all.`);
  return problems;
}

function nameProblems({ name }: WranglerConfig, others: readonly WranglerConfig[]): string[] {
  const isTaken = others.some((other) => other.name === name);
  return isTaken
    ? [`The name ${name} belongs to another environment as well, whose place it would take.`]
    : [];
}

function databaseProblems(config: WranglerConfig, others: readonly WranglerConfig[]): string[] {
  const own = databaseOf(config);
  if (!own) return ["There is no [[d1_databases]] with the binding DB. An environment inherits none."];
  if (!own.database_id)
    return [
      `The database ${own.database_name} has no database_id. \`npm run setup\` makes it and writes it down; by hand: \`npx wrangler d1 create ${own.database_name}\`, then copy the database_id that it prints under [[d1_databases]].`,
    ];
  const shared = others.some((other) =>
    other.d1_databases.some(({ database_id }) => database_id === own.database_id),
  );
  return shared ? [`The database ${own.database_name} belongs to another environment as well.`] : [];
}

function queueProblems({ queues, vars }: WranglerConfig, others: readonly WranglerConfig[]): string[] {
  const problems = PRODUCERS.filter((name) => !queues.producers.some(({ binding }) => binding === name)).map(
    (name) => `There is no [[queues.producers]] with the binding ${name}. An environment inherits none.`,
  );
  const consumed = new Set(queues.consumers.map(({ queue }) => queue));
  const dead = new Set(
    queues.consumers.flatMap(({ dead_letter_queue }) => (dead_letter_queue ? [dead_letter_queue] : [])),
  );
  for (const { queue, dead_letter_queue } of queues.consumers)
    if (!dead.has(queue) && !dead_letter_queue)
      problems.push(`The consumer of ${queue} has no dead_letter_queue: its messages would end there.`);
  for (const queue of [...queues.producers.map((producer) => producer.queue), ...dead])
    if (!consumed.has(queue))
      problems.push(`Nothing consumes ${queue}: its messages would be lost after their retention.`);
  const named = String(vars[DEAD_LETTER_QUEUES] ?? "");
  if (namesOf(named).toSorted().join() !== [...dead].toSorted().join())
    problems.push(`${DEAD_LETTER_QUEUES} under [vars] must be "${[...dead].join(",")}", and is "${named}".`);
  const theirs = new Set(others.flatMap((other) => other.queues.consumers.map(({ queue }) => queue)));
  for (const queue of consumed)
    if (theirs.has(queue)) problems.push(`The queue ${queue} belongs to another environment as well.`);
  return problems;
}

function limitProblems({ ratelimits }: WranglerConfig): string[] {
  return LIMITS.filter((limit) => !ratelimits.some(({ name }) => name === limit)).map(
    (limit) => `There is no [[ratelimits]] with the name ${limit}. An environment inherits none.`,
  );
}

function namesOf(list: string): string[] {
  return list.split(",").flatMap((name) => (name.trim() ? [name.trim()] : []));
}
