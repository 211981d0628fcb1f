import { existsSync } from "node:fs";
import chromium from "@sparticuz/chromium";

const SYSTEM = "/usr/bin/chromium";

/** Where a Chromium is: the system's, or the one of a package that is unpacked when it is first asked for. */
export async function chromiumPath(): Promise<string> {
  const named = process.env.CHROME_BIN;
  if (named) return named;
  return existsSync(SYSTEM) ? SYSTEM : chromium.executablePath();
}

/** A browser that is root's must do without its sandbox. */
export function chromiumArguments(): string[] {
  return process.getuid?.() === 0 ? ["--no-sandbox"] : [];
}
