import { describe, expect, test } from "vitest";
import { checkAsked, chosenEnv, environmentMeant } from "../../scripts/lib/asked.ts";
import { databaseOf, problemsOf } from "../../scripts/lib/deployable.ts";
import { unreachable } from "../../scripts/lib/reachable.ts";
import { readWranglerConfig, type WranglerConfig } from "../../scripts/lib/wrangler-config.ts";

const shipped = readWranglerConfig();

function deployable(changes: Partial<WranglerConfig> = {}): WranglerConfig {
  return {
    ...shipped,
    vars: { ...shipped.vars, MLFLOW_TRACKING_URI: "https://mlflow.example.com" },
    d1_databases: shipped.d1_databases.map((database) => ({ ...database, database_id: "0a1b" })),
    ...changes,
  };
}

describe("an address that a Worker cannot fetch is refused with the remedy", () => {
  test.each([
    "http://127.0.0.1:5000",
    "http://10.0.0.7/mlflow",
    "https://203.0.113.9",
    "http://0x7f.1",
    "http://2130706433",
    "http://[::1]:5000",
    "http://[2001:db8::1]",
    "http://localhost:5000",
    "http://mlflow",
    "http://mlflow:5000",
    "https://mlflow.local",
    "https://mlflow.local.",
    "https://tracking.ml.internal",
    "https://box.home.arpa",
    "https://mlflow.corp",
  ])("%s", (uri) => {
    expect(unreachable(uri)).toMatch(/Tunnel/);
  });

  test.each(["https://mlflow.localdomain", "https://mlflow.cluster.private", "https://mlflow.onion"])(
    "%s, which no public DNS knows",
    (uri) => {
      expect(unreachable(uri)).toMatch(/Tunnel/);
    },
  );

  test.each([
    "",
    "mlflow.example.com",
    "ftp://mlflow.example.com",
    "https://mlflow.example.com..",
    "https://.example.com",
  ])("%j is no address at all", (uri) => {
    expect(unreachable(uri)).not.toBeNull();
  });

  test.each([
    "https://mlflow.example.com",
    "http://mlflow.example.com:5000/prefix",
    "https://internal.example.com",
    "https://local.example.org",
    "https://1.2.3.4.example.com",
  ])("%s can be fetched", (uri) => {
    expect(unreachable(uri)).toBeNull();
  });
});

describe("another environment than the one that was meant is never deployed", () => {
  test.each([
    ["npm took the option", { npm_config_env: "staging" }, [], "npm run deploy -- --env"],
    ["npm took the trial run", { npm_config_dry_run: "true" }, [], "npm run deploy -- --dry-run"],
    [
      "wrangler is told to try, and the database would be migrated",
      {},
      ["--dry-run"],
      "npm run deploy -- --dry-run",
    ],
    ["the same in yargs' other spelling", {}, ["--minify", "--dryRun=true"], "npm run deploy -- --dry-run"],
    ["its name stands alone", {}, ["staging"], "npm run deploy -- --env staging"],
    ["wrangler is told another", {}, ["--env", "staging"], "--env"],
    ["wrangler is told another in short", {}, ["--minify", "-estaging"], "-estaging"],
    ["wrangler is told other settings", {}, ["--config=other.toml"], "--config"],
    ["wrangler is told another folder", {}, ["--cwd", "other"], "--cwd"],
    ["wrangler is told another Worker", {}, ["--name=trial-relay"], "--name"],
  ])("%s", (_, environment, args, said) => {
    expect(() => checkAsked("deploy", environment, args)).toThrow(said);
  });

  test("what else wrangler takes is handed on", () => {
    expect(() => checkAsked("deploy", {}, ["--tag", "v1", "--experimental-x", "--minify"])).not.toThrow();
  });

  test("npm took the short option for one of its own and left no trace, or nothing was named", () => {
    expect(() => environmentMeant("deploy", undefined, ["staging"])).toThrow('npm run deploy -- --env ""');
  });

  test.each([
    ["the only one", undefined, [], null],
    ["the top level by name", "", ["staging"], null],
    ["another", "staging", ["staging"], "staging"],
  ])("%s is meant", (_, named, environments, meant) => {
    expect(environmentMeant("deploy", named, environments)).toBe(meant);
  });

  test("the top level is named to wrangler as well, which would else take what the shell says", () => {
    expect(chosenEnv(null)).toEqual(["--env", ""]);
  });
});

describe("what would fail or lose messages once deployed is said before", () => {
  test("the settings as shipped lack an address and a database, and nothing else", () => {
    expect(problemsOf(shipped)).toEqual([
      expect.stringContaining("MLFLOW_TRACKING_URI"),
      expect.stringContaining("database_id"),
    ]);
    expect(problemsOf(deployable())).toEqual([]);
  });

  test("the address is not the Worker's own, as trainers have it: it would deliver to itself", () => {
    const vars = { ...deployable().vars, MLFLOW_TRACKING_URI: "https://trial-relay.somebody.workers.dev" };
    expect(problemsOf(deployable({ vars }))).toEqual([expect.stringContaining("own address")]);
    expect(problemsOf(deployable({ vars, name: "another" }))).toEqual([]);
  });

  test("nor is it one of a domain that the Worker answers at", () => {
    const vars = { ...deployable().vars, MLFLOW_TRACKING_URI: "https://relay.example.org/" };
    const domain = { pattern: "relay.example.org", custom_domain: true };
    for (const at of [{ routes: [domain] }, { route: domain }])
      expect(problemsOf(deployable({ vars, ...at }))).toEqual([expect.stringContaining("own address")]);
    // A route is in front of a server, which is fetched past it.
    const before = ["relay.example.org/*", { pattern: "relay.example.org/*", zone_name: "example.org" }];
    expect(problemsOf(deployable({ vars, routes: before }))).toEqual([]);
  });

  test("what the address has before its host is not said", () => {
    const vars = { ...deployable().vars, MLFLOW_TRACKING_URI: "http://somebody:se@cret@10.0.0.7" };
    expect(problemsOf(deployable({ vars }))).toEqual([expect.stringContaining("http://10.0.0.7 is an IP")]);
  });

  test("any address will do with a way into its private network", () => {
    const vars = { ...deployable().vars, MLFLOW_TRACKING_URI: "http://mlflow.internal:5000" };
    const way = { binding: "MLFLOW_VPC", service_id: "0a1b" };
    expect(problemsOf(deployable({ vars, vpc_services: [way] }))).toEqual([]);
    expect(problemsOf(deployable({ vars, vpc_services: [{ ...way, binding: "OTHER" }] }))).toHaveLength(1);
  });

  test("the database that the Worker uses is the one that is migrated, wherever it stands", () => {
    const [own] = deployable().d1_databases;
    const other = { binding: "OTHER", database_name: "other", database_id: "ff" };
    expect(databaseOf(deployable({ d1_databases: own ? [other, own] : [] }))).toEqual(own);
  });

  test("an environment that inherits no secrets: it would refuse every request for want of ADMIN_TOKEN", () => {
    expect(problemsOf(deployable({ secrets: { required: [] } }))).toEqual([
      expect.stringContaining("[secrets]"),
    ]);
  });

  test("an environment under another's name would take its place", () => {
    const other = deployable({
      d1_databases: [{ binding: "DB", database_name: "other", database_id: "ff" }],
      queues: { producers: [], consumers: [] },
    });
    expect(problemsOf(deployable(), [other])).toEqual([
      expect.stringContaining("trial-relay belongs to another"),
    ]);
    expect(problemsOf(deployable(), [{ ...other, name: "trial-relay-staging" }])).toEqual([]);
  });

  test.each([
    ["RELAY_RETENTION_DAYS", "a month", "RELAY_RETENTION_DAYS must be a whole number"],
    ["MLFLOW_TRACKING_URI", "https:mlflow.example.com", "MLFLOW_TRACKING_URI must be"],
    ["MLFLOW_ENABLED", "no", "MLFLOW_ENABLED must be true or false"],
    ["MLFLOW_ENABLED", false, "in quotes"],
    ["RELAY_GATHER_WINDOW_SECONDS", 10, "in quotes"],
    ["RELAY_BREAKER_PROBE_SECONDS", "300", "RELAY_BREAKER_PROBE_MAX_SECONDS must not be less"],
    ["RELAY_RETENTION_DAY", "7", "RELAY_RETENTION_DAY is no setting"],
    ["MLFLOW_TRACKING_URL", "https://mlflow.example.com", "MLFLOW_TRACKING_URL is no setting"],
    ["TEAM", "vision", null],
  ])("%s = %j, with which the Worker would answer nothing", (name, value, said) => {
    const vars = { ...deployable().vars, [name]: value };
    expect(problemsOf(deployable({ vars }))).toEqual(said === null ? [] : [expect.stringContaining(said)]);
  });

  test("what a setting needs beside it may be a secret", () => {
    const vars = { ...deployable().vars, RELAY_ACCESS_TEAM: "ours", MLFLOW_TRACKING_PASSWORD: "there" };
    expect(problemsOf(deployable({ vars }))).toEqual([]);
    const { RELAY_ACCESS_TEAM: _, ...rest } = vars;
    expect(problemsOf(deployable({ vars: { ...rest, RELAY_ACCESS_AUD: "0a1b" } }))).toEqual([]);
  });

  test("an environment that inherits neither database nor queues nor limits", () => {
    const bare = deployable({ d1_databases: [], queues: { producers: [], consumers: [] }, ratelimits: [] });
    const problems = problemsOf(bare).join("\n");
    expect(problems).toContain("binding DB");
    expect(problems).toContain("binding TRIALS");
    expect(problems).toContain("binding JOBS");
    expect(problems).toContain("binding FILES");
    expect(problems).toContain("name INGEST_LIMIT");
    expect(problems).toContain("name STRANGER_LIMIT");
  });

  test("a dead-letter queue that nothing consumes, and one that the Worker does not know", () => {
    const [trials, ...rest] = shipped.queues.consumers;
    if (!trials) throw new Error("no consumer");
    const consumers = [{ ...trials, dead_letter_queue: "graveyard" }, ...rest];
    const problems = problemsOf(deployable({ queues: { ...shipped.queues, consumers } })).join("\n");
    expect(problems).toContain("Nothing consumes graveyard");
    expect(problems).toContain(
      'RELAY_DEAD_LETTER_QUEUES under [vars] must be "graveyard,trial-relay-jobs-dlq,trial-relay-artifacts-dlq"',
    );
    expect(problems).toContain("trial-relay-trials-dlq has no dead_letter_queue");
  });

  test("a database and queues that belong to another environment, if that is deployed", () => {
    const problems = problemsOf(deployable(), [deployable()]).join("\n");
    expect(problems).toContain("trial-relay belongs to another environment");
    expect(problems).toContain("The queue trial-relay-jobs belongs to another environment");
    expect(problemsOf(deployable(), [shipped])).toEqual([]);
  });
});
