import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import * as z from "zod";

const manifest = z.looseObject({
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
});

test("relays under test run in the Miniflare that wrangler would run them in", () => {
  const require = createRequire(import.meta.url);
  const read = (path: string) => manifest.parse(JSON.parse(readFileSync(path, "utf8")));
  const ours = read("package.json").devDependencies.miniflare;
  expect(ours).toBe(read(require.resolve("wrangler/package.json")).dependencies.miniflare);
});
