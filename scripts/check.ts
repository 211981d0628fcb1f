import { execFile } from "node:child_process";
import { delimiter, join } from "node:path";
import { ROOT } from "./lib/wrangler.ts";

/** `npm run check`: everything is looked at side by side, and each says what it found once it is through. */
const CHECKS = [
  ["biome", "check", "."],
  ["tsc", "--noEmit"],
  ["tsc", "--noEmit", "-p", "src/dashboard/client"],
  ["wrangler", "types", "--check", "--include-runtime=false"],
] as const;

const PATH = [join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter);

for (const [command, ...args] of CHECKS) {
  const options = { cwd: ROOT, env: { ...process.env, PATH }, maxBuffer: Number.POSITIVE_INFINITY };
  execFile(command, args, options, (error, said, errors) => {
    process.stdout.write(said + errors);
    if (!error) return;
    console.error(`${[command, ...args].join(" ")} fails`);
    process.exitCode = 1;
  });
}
