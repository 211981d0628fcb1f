import { join } from "node:path";
import { unstable_readConfig as readConfig, experimental_readRawConfig as readRawConfig } from "wrangler";
import * as z from "zod";
import { ROOT } from "./wrangler.ts";

const CONFIG_FILE = join(ROOT, "wrangler.toml");

const Route = z.union([
  z.string(),
  z.looseObject({ pattern: z.string(), custom_domain: z.boolean().optional() }),
]);

const WranglerConfig = z.looseObject({
  name: z.string(),
  main: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  vars: z.record(z.string(), z.unknown()).default({}),
  secrets: z.looseObject({ required: z.array(z.string()).default([]) }).default({ required: [] }),
  assets: z.looseObject({ directory: z.string().optional() }).optional(),
  d1_databases: z
    .array(
      z.looseObject({
        binding: z.string(),
        database_name: z.string(),
        database_id: z.string().optional(),
      }),
    )
    .default([]),
  queues: z
    .looseObject({
      producers: z.array(z.looseObject({ binding: z.string(), queue: z.string() })).default([]),
      consumers: z
        .array(
          z.looseObject({
            queue: z.string(),
            max_batch_size: z.number(),
            max_retries: z.number(),
            retry_delay: z.number(),
            dead_letter_queue: z.string().optional(),
          }),
        )
        .default([]),
    })
    .default({ producers: [], consumers: [] }),
  r2_buckets: z.array(z.looseObject({ binding: z.string(), bucket_name: z.string() })).default([]),
  ratelimits: z.array(z.looseObject({ name: z.string() })).default([]),
  route: Route.optional(),
  routes: z.array(Route).optional(),
  vpc_services: z.array(z.looseObject({ binding: z.string() })).default([]),
  env: z.record(z.string(), z.unknown()).default({}),
});
export type WranglerConfig = z.infer<typeof WranglerConfig>;

/** Reads wrangler.toml of this repository. */
export function readWranglerConfig(): WranglerConfig {
  return WranglerConfig.parse(readRawConfig({ config: CONFIG_FILE }).rawConfig);
}

/**
 * The settings of an environment, `[env.<name>]` with what it inherits, as wrangler would deploy it.
 * @throws Error for a name that wrangler.toml does not have; wrangler itself would deploy the top level instead
 */
export function readEnvironment(name: string): WranglerConfig {
  const { env } = readWranglerConfig();
  if (!(name in env))
    throw new Error(
      `wrangler.toml has no [env.${name}]. It has ${Object.keys(env).join(", ") || "no environments"}.`,
    );
  return WranglerConfig.parse(readConfig({ config: CONFIG_FILE, env: name }, { hideWarnings: true }));
}
