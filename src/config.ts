import * as z from "zod";
import { MERGE_POLICIES } from "./domain/merge.ts";
import type { MlflowAuth } from "./mlflow/http.ts";

/**
 * The settings, read once from the Worker's environment. This is the only reader of its strings; a wrong value
 * stops the Worker with one message that names the variable. docs/settings.md has the table.
 */

const SECRET = new Set([
  "ADMIN_TOKEN",
  "MLFLOW_TRACKING_TOKEN",
  "MLFLOW_TRACKING_PASSWORD",
  "MLFLOW_EXTRA_HEADERS",
]);
const MIN_ADMIN_TOKEN_CHARS = 16;
/** What a header can have of a token. */
const SENDABLE = /^[!-~]+$/;

const flag = z
  .enum(["true", "false", "1", "0"], "must be true or false")
  .transform((value) => value === "true" || value === "1");

function whole(min: number, max: number) {
  const rule = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, rule)
    .transform(Number)
    .refine((value) => value >= min && value <= max, rule);
}

const uri = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

const headers = z.string().transform((text, context) => {
  const rule = 'must be a JSON object of header names and text values, as {"X-Team": "vision"}';
  try {
    return z.record(z.string().regex(/^[\w-]+$/), z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: "custom", message: rule });
    return z.NEVER;
  }
});

const names = z.string().transform((text) => text.split(",").map((name) => name.trim()));

const mergePolicy = z.enum(MERGE_POLICIES, "must be relay, mlflow or newest").default("relay");

const variables = z
  .object({
    MLFLOW_TRACKING_URI: uri.default("http://127.0.0.1:5000"),
    MLFLOW_TRACKING_TOKEN: z.string().optional(),
    MLFLOW_TRACKING_USERNAME: z.string().optional(),
    MLFLOW_TRACKING_PASSWORD: z.string().optional(),
    MLFLOW_EXTRA_HEADERS: headers.default({}),
    MLFLOW_ENABLED: flag.default(true),
    MLFLOW_AUTO_SYNC: flag.default(true),
    MLFLOW_DEFAULT_EXPERIMENT: z
      .string()
      .min(1, "must not be empty")
      .max(256, "must have at most 256 characters")
      .default("thunderline-trials"),
    MLFLOW_ARTIFACT_LOCATION: z
      .string()
      .min(1, "must not be empty")
      .max(2048, "must have at most 2048 characters")
      .optional(),
    MLFLOW_REQUEST_TIMEOUT: whole(100, 120_000).default(30_000),
    RELAY_GATHER_WINDOW_SECONDS: whole(0, 300).default(2),
    RELAY_ANNOUNCE_GRACE_SECONDS: whole(0, 3_600).default(15),
    RELAY_PARENT_RUNS: flag.default(true),
    RELAY_DELETED_EXPERIMENT: z.enum(["block", "restore"], "must be block or restore").default("block"),
    RELAY_MERGE_NAME: mergePolicy,
    RELAY_MERGE_STATUS: mergePolicy,
    RELAY_MERGE_TAGS: mergePolicy,
    RELAY_MERGE_DESCRIPTION: mergePolicy,
    RELAY_DOUBLE_RUNS: z.enum(["report", "delete"], "must be report or delete").default("report"),
    RELAY_MAX_CONCURRENT_CALLS: whole(1, 100).default(4),
    RELAY_MAX_CALLS_PER_SECOND: whole(0, 1_000).default(0),
    RELAY_QUIET_AFTER_SECONDS: whole(0, 31_536_000).default(0),
    RELAY_QUIET_POLICY: z.enum(["leave", "fail", "kill"], "must be leave, fail or kill").default("leave"),
    RELAY_ORPHANS: z.enum(["leave", "close"], "must be leave or close").default("close"),
    RELAY_MAX_DATABASE_MB: whole(1, 10_000).default(9_000),
    RELAY_RETENTION_DAYS: whole(0, 3_650).default(30),
    RELAY_MAX_ARTIFACT_MB: whole(1, 5_000).default(100),
    RELAY_ARTIFACT_RETENTION_DAYS: whole(0, 3_650).optional(),
    RELAY_REPEATS_KNOWN_DAYS: whole(0, 3_650).default(14),
    RELAY_RETRY_BASE_MS: whole(10, 60_000).default(1_000),
    RELAY_RETRY_MAX_MS: whole(100, 3_600_000).default(60_000),
    RELAY_DEAD_LETTER_QUEUES: names.default([
      "trial-relay-trials-dlq",
      "trial-relay-jobs-dlq",
      "trial-relay-artifacts-dlq",
    ]),
    RELAY_BREAKER_FAILURES: whole(1, 1_000).default(5),
    RELAY_BREAKER_PROBE_SECONDS: whole(1, 3_600).default(5),
    RELAY_BREAKER_PROBE_MAX_SECONDS: whole(1, 3_600).default(60),
    RELAY_ACCESS_TEAM: z
      .string()
      .regex(/^[a-z0-9-]+$/, "must be the team's name alone: <name>.cloudflareaccess.com")
      .optional(),
    RELAY_ACCESS_AUD: z.string().min(1, "must not be empty").optional(),
    RELAY_ACCESS_SCOPE: z.enum(["read", "admin"], "must be read or admin").default("read"),
    ADMIN_TOKEN: z
      .string("is required: the first API token, set with `wrangler secret put ADMIN_TOKEN`")
      .min(MIN_ADMIN_TOKEN_CHARS, `must have at least ${MIN_ADMIN_TOKEN_CHARS} characters`)
      .regex(
        SENDABLE,
        "must be of letters, digits and signs of ASCII, without spaces: it is sent in a header",
      ),
  })
  .refine((env) => env.MLFLOW_TRACKING_PASSWORD === undefined || env.MLFLOW_TRACKING_USERNAME !== undefined, {
    path: ["MLFLOW_TRACKING_USERNAME"],
    message: "is required with MLFLOW_TRACKING_PASSWORD",
  })
  .refine((env) => env.RELAY_ACCESS_TEAM === undefined || env.RELAY_ACCESS_AUD !== undefined, {
    path: ["RELAY_ACCESS_AUD"],
    message: "is required with RELAY_ACCESS_TEAM",
  })
  .refine((env) => env.RELAY_ACCESS_AUD === undefined || env.RELAY_ACCESS_TEAM !== undefined, {
    path: ["RELAY_ACCESS_TEAM"],
    message: "is required with RELAY_ACCESS_AUD",
  })
  .refine((env) => env.RELAY_BREAKER_PROBE_MAX_SECONDS >= env.RELAY_BREAKER_PROBE_SECONDS, {
    path: ["RELAY_BREAKER_PROBE_MAX_SECONDS"],
    message: "must not be less than RELAY_BREAKER_PROBE_SECONDS",
  });

/** The names of all settings. */
export const SETTINGS: readonly string[] = Object.keys(variables.shape);

export type Config = ReturnType<typeof toConfig>;

/** Raised for a wrong setting; the message names the variable and, unless it is a secret, its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

function toConfig(env: z.output<typeof variables>) {
  return {
    mlflow: {
      trackingUri: env.MLFLOW_TRACKING_URI.replace(/\/+$/, ""),
      auth: mlflowAuth(env),
      extraHeaders: env.MLFLOW_EXTRA_HEADERS,
      timeoutMs: env.MLFLOW_REQUEST_TIMEOUT,
    },
    enabled: env.MLFLOW_ENABLED,
    autoSync: env.MLFLOW_AUTO_SYNC,
    defaultExperiment: env.MLFLOW_DEFAULT_EXPERIMENT,
    artifactLocation: env.MLFLOW_ARTIFACT_LOCATION ?? null,
    gatherWindowSeconds: env.RELAY_GATHER_WINDOW_SECONDS,
    announceGraceMs: env.RELAY_ANNOUNCE_GRACE_SECONDS * 1000,
    parentRuns: env.RELAY_PARENT_RUNS,
    deletedExperiment: env.RELAY_DELETED_EXPERIMENT,
    merge: {
      name: env.RELAY_MERGE_NAME,
      status: env.RELAY_MERGE_STATUS,
      tag: env.RELAY_MERGE_TAGS,
      description: env.RELAY_MERGE_DESCRIPTION,
    },
    doubleRuns: env.RELAY_DOUBLE_RUNS,
    maxConcurrentCalls: env.RELAY_MAX_CONCURRENT_CALLS,
    maxCallsPerSecond: env.RELAY_MAX_CALLS_PER_SECOND,
    quiet: { afterMs: env.RELAY_QUIET_AFTER_SECONDS * 1000, policy: env.RELAY_QUIET_POLICY },
    orphans: env.RELAY_ORPHANS,
    maxDatabaseBytes: env.RELAY_MAX_DATABASE_MB * 1_000_000,
    retentionMs: env.RELAY_RETENTION_DAYS * 86_400_000,
    artifacts: {
      maxBytes: env.RELAY_MAX_ARTIFACT_MB * 1_000_000,
      /** How long the bytes stay here once MLflow has them; null: for good. */
      retentionMs:
        env.RELAY_ARTIFACT_RETENTION_DAYS === undefined
          ? null
          : env.RELAY_ARTIFACT_RETENTION_DAYS * 86_400_000,
    },
    identitiesMs: env.RELAY_REPEATS_KNOWN_DAYS * 86_400_000,
    retry: { baseMs: env.RELAY_RETRY_BASE_MS, maxMs: env.RELAY_RETRY_MAX_MS },
    breaker: {
      failures: env.RELAY_BREAKER_FAILURES,
      probeMs: env.RELAY_BREAKER_PROBE_SECONDS * 1000,
      probeMaxMs: env.RELAY_BREAKER_PROBE_MAX_SECONDS * 1000,
    },
    deadLetterQueues: new Set(env.RELAY_DEAD_LETTER_QUEUES),
    adminToken: env.ADMIN_TOKEN,
    access:
      env.RELAY_ACCESS_TEAM === undefined
        ? null
        : {
            issuer: `https://${env.RELAY_ACCESS_TEAM}.cloudflareaccess.com`,
            audience: env.RELAY_ACCESS_AUD ?? "",
            scope: env.RELAY_ACCESS_SCOPE,
          },
  };
}

/** MLflow's own rule: user and password together win over a token. Without a token a user may have an empty password. */
function mlflowAuth(env: z.output<typeof variables>): MlflowAuth {
  const {
    MLFLOW_TRACKING_USERNAME: username,
    MLFLOW_TRACKING_PASSWORD: password,
    MLFLOW_TRACKING_TOKEN: token,
  } = env;
  if (username && (password || !token)) return { kind: "basic", username, password: password ?? "" };
  return token ? { kind: "bearer", token } : { kind: "none" };
}

/**
 * Reads the settings from the environment's strings. An empty string counts as not set.
 * @throws ConfigError naming the first wrong variable.
 */
export function parseConfig(env: object): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = variables.safeParse(set);
  if (parsed.success) return toConfig(parsed.data);
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? "environment");
  const value = set[name];
  const got =
    value === undefined || SECRET.has(name)
      ? ""
      : `, got ${JSON.stringify(withoutCredentials(String(value)))}`;
  throw new ConfigError(`${name} ${issue?.message ?? "is wrong"}${got}`);
}

const SCHEME = /^[a-z][a-z\d+.-]*:\/\//i;

/**
 * A URL may carry a password, with an @ in it too; an error message must not. One with a /, ? or # in it makes that no URL,
 * and then all that stands before the last @ may be of it.
 */
export function withoutCredentials(url: string): string {
  if (SCHEME.test(url) && URL.canParse(url)) return url.replace(/\/\/[^/?#]*@/, "//");
  const [scheme = ""] = SCHEME.exec(url) ?? [];
  const end = url.lastIndexOf("@");
  return end < 0 ? url : scheme + url.slice(end + 1);
}

const parsedByEnv = new WeakMap<object, Config>();

/** `parseConfig`, once for each environment object. */
export function configOf(env: object): Config {
  const known = parsedByEnv.get(env);
  if (known) return known;
  const config = parseConfig(env);
  parsedByEnv.set(env, config);
  return config;
}
