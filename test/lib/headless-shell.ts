import { execFile } from "node:child_process";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { link, mkdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";
import { chromiumPath } from "../../scripts/lib/chromium.ts";
import { hasCode } from "../../scripts/lib/lock.ts";
import { ROOT } from "../../scripts/lib/wrangler.ts";

const PACKED = join(ROOT, "node_modules", "@sparticuz", "chromium", "bin", "chromium.br");
const UNPACKED = join(ROOT, "node_modules", ".cache", "chromium");

/**
 * Where the Chromium for tests is: the headless shell of a package, which shows the same with a third of the work, else
 * one that has a window too.
 */
export async function headlessShellPath(): Promise<string> {
  if (process.env.CHROME_BIN) return process.env.CHROME_BIN;
  try {
    const shell = await unpacked();
    // It is for Linux on one kind of processor, and needs libraries of the system.
    await promisify(execFile)(shell, ["--version"]);
    return shell;
  } catch {
    return chromiumPath();
  }
}

/** The package itself unpacks into a folder that others use, where whoever comes second meets half a file. */
async function unpacked(): Promise<string> {
  const { size } = await stat(PACKED);
  const shell = join(UNPACKED, `headless-shell-${size}`);
  if (existsSync(shell)) return shell;
  await mkdir(UNPACKED, { recursive: true });
  const own = `${shell}.${process.pid}`;
  await pipeline(createReadStream(PACKED), createBrotliDecompress(), createWriteStream(own, { mode: 0o755 }));
  // Never in place of another's, which may run by now: a browser starts its own processes by its path.
  await link(own, shell).catch((error: unknown) => {
    if (!hasCode(error, "EEXIST")) throw error;
  });
  await rm(own);
  return shell;
}
