import { join } from "node:path";
import { experimental_readRawConfig as readRawConfig } from "wrangler";
import * as z from "zod";
import { ROOT } from "./wrangler.ts";

const WranglerConfig = z.looseObject({
  main: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
  vars: z.record(z.string(), z.unknown()).default({}),
  assets: z.looseObject({ directory: z.string().optional() }).optional(),
  d1_databases: z.array(z.looseObject({ database_name: z.string(), database_id: z.string().optional() })),
  queues: z.looseObject({
    producers: z.array(z.looseObject({ queue: z.string() })),
    consumers: z.array(
      z.looseObject({
        queue: z.string(),
        max_batch_size: z.number(),
        max_retries: z.number(),
        retry_delay: z.number(),
        dead_letter_queue: z.string().optional(),
      }),
    ),
  }),
});
export type WranglerConfig = z.infer<typeof WranglerConfig>;

/** Reads wrangler.toml of this repository. */
export function readWranglerConfig(): WranglerConfig {
  return WranglerConfig.parse(readRawConfig({ config: join(ROOT, "wrangler.toml") }).rawConfig);
}
