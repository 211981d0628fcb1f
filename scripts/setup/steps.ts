import { randomBytes } from "node:crypto";
import { databaseOf } from "../lib/deployable.ts";
import type { WranglerConfig } from "../lib/wrangler-config.ts";

/** 14 days, the longest that Cloudflare keeps a message. */
const RETENTION_SECONDS = 1_209_600;
export const LOCATIONS = ["weur", "eeur", "apac", "oc", "wnam", "enam"] as const;

export type Ran = { code: number; output: string };
/** What the steps do to the world, passed in. */
export type World = {
  /** Runs wrangler with arguments, and what it reads as its input. */
  wrangler: (args: string[], input?: string) => Promise<Ran>;
  /** Asks a person; the answer may be empty. */
  ask: (question: string) => Promise<string>;
  /** Writes the database's id under its name in wrangler.toml. */
  noteDatabaseId: (databaseName: string, id: string) => Promise<void>;
  say: (line: string) => void;
};

/** Raised where a step cannot go on; the message says what to do. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** There is an account to set up in. */
export async function ensureSignedIn({ wrangler }: World): Promise<void> {
  const { code, output } = await wrangler(["whoami"]);
  if (/not authenticated/i.test(output))
    throw new SetupError("Wrangler is not signed in: run `npx wrangler login`, then this again.");
  // Without a way to Cloudflare, or with a token that it refuses, to sign in is no remedy.
  if (code !== 0) throw new SetupError(`wrangler whoami failed:\n${output.trim()}`);
}

/**
 * The database exists, and wrangler.toml has its id.
 * @param location where it is to be made; null asks. It cannot be moved later, and decides how long an answer takes
 */
export async function ensureDatabase(
  world: World,
  config: WranglerConfig,
  location: string | null,
): Promise<void> {
  const database = databaseOf(config);
  if (!database) throw new SetupError("wrangler.toml has no [[d1_databases]] with the binding DB.");
  const name = database.database_name;
  let id = await databaseId(world, name);
  if (id === null && database.database_id)
    throw new SetupError(
      `wrangler.toml has the database_id ${database.database_id} for ${name}, and this account has no database of that name. Sign in to the account that has it, or take the database_id away to have one made here.`,
    );
  if (id === null) {
    const where = location ?? (await askLocation(world));
    await must(world, ["d1", "create", name, ...(where ? ["--location", where] : [])]);
    id = await databaseId(world, name);
    if (id === null)
      throw new SetupError(`The database ${name} was made, and \`wrangler d1 list\` lacks it.`);
    world.say(`made the database ${name}${where ? ` in ${where}` : ""}`);
  }
  if (database.database_id === id) return;
  if (database.database_id)
    throw new SetupError(
      `wrangler.toml has the database_id ${database.database_id} for ${name}, and this account has ${id}. Take away whichever is wrong.`,
    );
  await world.noteDatabaseId(name, id);
  world.say(`wrote the database_id of ${name} into wrangler.toml`);
}

async function askLocation({ ask }: World): Promise<string> {
  const answer = await ask(
    `Where shall the database live? It cannot be moved; every event is written there, so near the trainers is best.\n${LOCATIONS.join(", ")}, or empty for near you: `,
  );
  if (answer === "" || LOCATIONS.some((location) => location === answer)) return answer;
  throw new SetupError(`${answer} is none of ${LOCATIONS.join(", ")}.`);
}

async function databaseId(world: World, name: string): Promise<string | null> {
  const listed: unknown = JSON.parse(await must(world, ["d1", "list", "--json"]));
  const found = Array.isArray(listed) ? listed.find((row) => row.name === name) : undefined;
  return typeof found?.uuid === "string" ? found.uuid : null;
}

/** Every queue exists and keeps its messages as long as can be. */
export async function ensureQueues(world: World, { queues }: WranglerConfig): Promise<void> {
  const keep = ["--message-retention-period-secs", String(RETENTION_SECONDS)];
  const names = new Set([...queues.producers, ...queues.consumers].map(({ queue }) => queue));
  for (const name of names) {
    const made = await world.wrangler(["queues", "create", name, ...keep]);
    if (made.code === 0) world.say(`made the queue ${name}`);
    else if (/already (exists|taken)|11009/i.test(made.output))
      await must(world, ["queues", "update", name, ...keep]);
    else throw new SetupError(`wrangler queues create ${name} failed:\n${made.output.trim()}`);
  }
}

/** Every bucket exists. */
export async function ensureBuckets(world: World, { r2_buckets }: WranglerConfig): Promise<void> {
  for (const { bucket_name: name } of r2_buckets) {
    const made = await world.wrangler(["r2", "bucket", "create", name]);
    if (made.code === 0) world.say(`made the bucket ${name}`);
    else if (!/already exists|10004/i.test(made.output))
      throw new SetupError(
        `wrangler r2 bucket create ${name} failed:\n${made.output.trim()}\nThe relay works without a bucket too: take [[r2_buckets]] out of wrangler.toml.`,
      );
  }
}

/** What wrangler says of a Worker that was never deployed. */
const NO_WORKER = /Worker "[^"]*".* not found|10007/;

/**
 * The secrets that wrangler.toml requires exist; an admin token that is missing is made, and shown.
 * @returns the token that was made, which nobody can ask for later
 */
export async function ensureSecrets(
  world: World,
  { secrets }: WranglerConfig,
  chosen: string[],
): Promise<string | null> {
  let made: string | null = null;
  const listed = await world.wrangler(["secret", "list", ...chosen]);
  // Where the Worker is there and does not answer, a new token would take the place of the one that is in use.
  if (listed.code !== 0 && !NO_WORKER.test(listed.output))
    throw new SetupError(`wrangler secret list failed:\n${listed.output.trim()}`);
  for (const name of secrets.required) {
    if (listed.code === 0 && listed.output.includes(`"${name}"`)) continue;
    const value =
      name === "ADMIN_TOKEN" ? randomBytes(24).toString("base64url") : await world.ask(`${name}: `);
    if (value === "")
      throw new SetupError(
        `${name} is empty. Run this again with it, or take it out of [secrets] in wrangler.toml.`,
      );
    const put = await world.wrangler(["secret", "put", name, ...chosen], value);
    // An answer that was lost may have been a yes, and the next setup then finds the secret there.
    if (put.code !== 0)
      throw new SetupError(
        `wrangler secret put ${name} failed:\n${put.output.trim()}\nIf ${name} is listed by \`npx wrangler secret list\` all the same, put one that you know: \`npx wrangler secret put ${name}\`.`,
      );
    if (name === "ADMIN_TOKEN") made = value;
    world.say(name === "ADMIN_TOKEN" ? `made ADMIN_TOKEN: ${value}` : `put the secret ${name}`);
  }
  return made;
}

async function must({ wrangler }: World, args: string[]): Promise<string> {
  const { code, output } = await wrangler(args);
  if (code !== 0) throw new SetupError(`wrangler ${args.slice(0, 3).join(" ")} failed:\n${output.trim()}`);
  return output;
}
