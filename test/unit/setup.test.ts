import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { migrate } from "../../scripts/lib/migrate.ts";
import { withDatabaseId } from "../../scripts/lib/toml.ts";
import { runWranglerWith } from "../../scripts/lib/wrangler.ts";
import { readWranglerConfig, type WranglerConfig } from "../../scripts/lib/wrangler-config.ts";
import {
  ensureBuckets,
  ensureDatabase,
  ensureQueues,
  ensureSecrets,
  ensureSignedIn,
  type World,
} from "../../scripts/setup/steps.ts";

const config = readWranglerConfig();
afterEach(() => vi.unstubAllEnvs());

/** An account as wrangler shows it, and a person who gives one answer to everything. */
class Account implements World {
  readonly databases = new Map<string, string>();
  readonly queues = new Map<string, string>();
  readonly buckets = new Set<string>();
  /** What R2 says of every new bucket; null: it is made. */
  noBuckets: string | null = null;
  readonly secrets = new Map<string, string>();
  /** What is said to who asks for the secrets; null: there is a Worker, and these are its. */
  noSecrets: string | null = null;
  readonly said: string[] = [];
  readonly locations: (string | undefined)[] = [];
  toml: WranglerConfig = config;
  readonly #answer: string;

  constructor(answer = "") {
    this.#answer = answer;
  }

  wrangler = async (args: string[], input = "") => {
    const [what, does, name = "", ...rest] = args;
    const ok = (output = "") => ({ code: 0, output });
    switch (`${what} ${does}`) {
      case "d1 list":
        return ok(JSON.stringify([...this.databases].map(([name, uuid]) => ({ name, uuid }))));
      case "d1 create":
        this.databases.set(name, `id-of-${name}`);
        this.locations.push(rest[1]);
        return ok();
      case "queues create":
        if (this.queues.has(name)) return { code: 1, output: `Queue name '${name}' is already taken` };
        this.queues.set(name, rest[1] ?? "");
        return ok();
      case "queues update":
        this.queues.set(name, rest[1] ?? "");
        return ok();
      case "r2 bucket": {
        const [bucket = ""] = rest;
        if (this.noBuckets !== null) return { code: 1, output: this.noBuckets };
        if (this.buckets.has(bucket))
          return {
            code: 1,
            output: "The bucket you tried to create already exists, and you own it. [code: 10004]",
          };
        this.buckets.add(bucket);
        return ok();
      }
      case "secret list":
        if (this.noSecrets !== null) return { code: 1, output: this.noSecrets };
        return ok(JSON.stringify([...this.secrets.keys()].map((name) => ({ name, type: "secret_text" }))));
      case "secret put":
        this.secrets.set(name, input);
        return ok();
      default:
        return { code: 1, output: `unknown command ${args.join(" ")}` };
    }
  };
  ask = async () => this.#answer;
  noteDatabaseId = async (_name: string, id: string) => {
    const [database] = this.toml.d1_databases;
    if (database) this.toml = { ...this.toml, d1_databases: [{ ...database, database_id: id }] };
  };
  say = (line: string) => void this.said.push(line);

  /** @returns the admin token, if one was made */
  async setUp(location: string | null = null): Promise<string | null> {
    await ensureDatabase(this, this.toml, location);
    await ensureQueues(this, this.toml);
    await ensureBuckets(this, this.toml);
    return ensureSecrets(this, this.toml, []);
  }
}

function whereWhoamiSays(code: number, output: string): World {
  const account = new Account();
  account.wrangler = async () => ({ code, output });
  return account;
}

describe("setting up an account", () => {
  test("makes the database where it was asked for, every queue with 14 days, and an admin token", async () => {
    const account = new Account("weur");
    const made = await account.setUp();
    expect(account.locations).toEqual(["weur"]);
    expect(account.toml.d1_databases[0]?.database_id).toBe("id-of-trial-relay");
    expect(Object.fromEntries(account.queues)).toEqual({
      "trial-relay-trials": "1209600",
      "trial-relay-jobs": "1209600",
      "trial-relay-artifacts": "1209600",
      "trial-relay-trials-dlq": "1209600",
      "trial-relay-jobs-dlq": "1209600",
      "trial-relay-artifacts-dlq": "1209600",
    });
    expect([...account.buckets]).toEqual(["trial-relay-artifacts"]);
    const token = account.secrets.get("ADMIN_TOKEN") ?? "";
    expect(token.length).toBeGreaterThanOrEqual(32);
    expect(account.said.filter((line) => line.includes(token))).toHaveLength(1);
    // To be said again at the end.
    expect(made).toBe(token);
  });

  test("a second time makes nothing, and mends the retention of a queue made by hand", async () => {
    const account = new Account();
    await account.setUp("apac");
    const token = account.secrets.get("ADMIN_TOKEN");
    account.queues.set("trial-relay-jobs", "345600");
    account.said.length = 0;
    expect(await account.setUp()).toBeNull();
    expect(account.said).toEqual([]);
    expect(account.locations).toEqual(["apac"]);
    expect(account.secrets.get("ADMIN_TOKEN")).toBe(token);
    expect(account.queues.get("trial-relay-jobs")).toBe("1209600");
  });

  test("another database's id in wrangler.toml is not written over", async () => {
    const account = new Account();
    await account.setUp("enam");
    account.databases.set("trial-relay", "another");
    await expect(account.setUp()).rejects.toThrow(/database_id id-of-trial-relay .* another/);
  });

  test("nothing is made in an account that is not the one whose database wrangler.toml has", async () => {
    const account = new Account("enam");
    await account.noteDatabaseId("trial-relay", "0a1b");
    await expect(account.setUp()).rejects.toThrow(/database_id 0a1b .*no database of that name/);
    expect(account.databases.size).toBe(0);
  });

  test("a Worker that is not there yet gets its token, and one of which that cannot be told keeps its own", async () => {
    const account = new Account();
    account.noSecrets =
      '✘ [ERROR] Worker "trial-relay" not found.\n\nIf this is a new Worker, run `wrangler deploy` first';
    await account.setUp();
    const token = account.secrets.get("ADMIN_TOKEN");
    expect(token).toBeDefined();
    account.noSecrets = "✘ [ERROR] fetch failed";
    await expect(account.setUp()).rejects.toThrow(/secret list failed:\n.*fetch failed/);
    expect(account.secrets.get("ADMIN_TOKEN")).toBe(token);
  });

  test("a secret to which nothing was said is not put: the relay would take it for not set", async () => {
    const account = new Account();
    const toml = { ...config, secrets: { required: ["ADMIN_TOKEN", "MLFLOW_TRACKING_TOKEN"] } };
    account.toml = toml;
    await expect(account.setUp()).rejects.toThrow("MLFLOW_TRACKING_TOKEN is empty");
    expect(account.secrets.has("MLFLOW_TRACKING_TOKEN")).toBe(false);
    const answering = new Account("enam");
    answering.toml = toml;
    await answering.setUp();
    expect(answering.secrets.get("MLFLOW_TRACKING_TOKEN")).toBe("enam");
  });

  test("an admin token whose putting got no answer, and which nobody was shown, is said to be put by hand", async () => {
    const account = new Account("enam");
    const { wrangler } = account;
    account.wrangler = async (args, input) => {
      const ran = await wrangler(args, input);
      return args[1] === "put" ? { code: 1, output: "fetch failed" } : ran;
    };
    await expect(account.setUp()).rejects.toThrow(/fetch failed\n.*`npx wrangler secret put ADMIN_TOKEN`/);
    expect(account.secrets.has("ADMIN_TOKEN")).toBe(true);
  });

  test("an account without R2 is told that it can do without", async () => {
    const account = new Account();
    account.noBuckets = "Please enable R2 through the Cloudflare Dashboard. [code: 10042]";
    await expect(account.setUp()).rejects.toThrow(/enable R2.*\n.*take \[\[r2_buckets\]\] out/);
  });

  test("a place that Cloudflare does not have is refused before anything is made", async () => {
    const account = new Account("Frankfurt");
    await expect(account.setUp()).rejects.toThrow(/Frankfurt is none of weur/);
    expect(account.databases.size).toBe(0);
  });

  test("without a session it says how to sign in", async () => {
    const unsigned = "You are not authenticated. Please run `wrangler login`.";
    await expect(ensureSignedIn(whereWhoamiSays(0, unsigned))).rejects.toThrow("npx wrangler login");
  });

  test("where Cloudflare cannot be asked, that is said, and not that nobody is signed in", async () => {
    const failing = ensureSignedIn(whereWhoamiSays(1, "✘ [ERROR] fetch failed"));
    await expect(failing).rejects.toThrow("wrangler whoami failed:\n✘ [ERROR] fetch failed");
  });
});

describe("migrations", () => {
  const ended = (code: number, output: string) => ({
    here: async (args: string[]) => (args.includes("apply") ? 0 : 1),
    heard: async (args: string[]) => ({ code: args.includes("list") ? code : 1, output }),
  });
  const apply = (world: Parameters<typeof migrate>[0]) => migrate(world, "trial-relay", ["--env", ""]);

  test("that all are there is looked at", async () => {
    expect(await apply(ended(0, "✅ No migrations to apply!"))).toBe(0);
    expect(await apply({ ...ended(0, "not asked"), here: async () => 3 })).toBe(3);
  });

  test("those to which somebody said no, of which wrangler says nothing, end a deployment", async () => {
    const left = ended(0, "Migrations to be applied:\n│ 0034_ties-behind.sql │");
    await expect(apply(left)).rejects.toThrow("trial-relay lacks migrations");
    await expect(apply(ended(1, "fetch failed"))).rejects.toThrow(/cannot be told:\nfetch failed/);
  });
});

describe("the database's id in wrangler.toml", () => {
  const toml = '# ours\n[[d1_databases]]\nbinding = "DB"\ndatabase_name = "trial-relay" # main\n\n[vars]\n';

  test("stands below its name, and nothing else changes", () => {
    expect(withDatabaseId(toml, "trial-relay", "0a1b")).toBe(
      toml.replace("# main\n", '# main\ndatabase_id = "0a1b"\n'),
    );
  });

  test.each(["", "  "])("takes the place of one that is empty, %j", (empty) => {
    const line = `database_id = "${empty}"  # copy it here\n`;
    const before = toml.replace('binding = "DB"\n', `binding = "DB"\n${line}`);
    const after = toml.replace('binding = "DB"\n', `binding = "DB"\ndatabase_id = "0a1b"  # copy it here\n`);
    expect(withDatabaseId(before, "trial-relay", "0a1b")).toBe(after);
    const other = `[[env.x.d1_databases]]\n${line}`;
    expect(withDatabaseId(toml + other, "trial-relay", "0a1b")).toBe(
      withDatabaseId(toml, "trial-relay", "0a1b") + other,
    );
  });

  test.each([
    ["none of that name", toml, "other"],
    ["two of that name", toml + toml, "trial-relay"],
  ])("%s is said, with what to do by hand", (_, text, name) => {
    expect(() => withDatabaseId(text, name, "0a1b")).toThrow('database_id = "0a1b" by hand');
  });
});

test("wrangler is heard to its end, though what it reads ends before", async () => {
  expect(await runWranglerWith(["--version"], "a secret\n")).toEqual({
    code: 0,
    output: expect.stringMatching(/\d+\.\d+\.\d+/),
  });
});

test("an environment that the shell has for wrangler is not taken where none is named", async () => {
  const dir = await mkdtemp(join(tmpdir(), "environment-"));
  const file = join(dir, "wrangler.json");
  const database = { binding: "DB", database_name: "main", database_id: "none" };
  await mkdir(join(dir, "migrations"));
  await writeFile(file, JSON.stringify({ name: "x", d1_databases: [database], env: { other: {} } }));
  vi.stubEnv("CLOUDFLARE_ENV", "other");
  const ask = ["d1", "migrations", "list", "main", "--local", "--config", file];
  const { code, output } = await runWranglerWith(ask);
  await rm(dir, { recursive: true });
  expect([code, output]).toEqual([0, expect.any(String)]);
});
