import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../scripts/lib/wrangler.ts";

const DOCUMENT = join(ROOT, "docs/benchmarks.md");

/**
 * Puts a text into its part of docs/benchmarks.md, between `<!-- name -->` and `<!-- end of name -->`.
 * @throws Error if the document has no such part
 */
export function writePart(name: string, text: string): void {
  const document = readFileSync(DOCUMENT, "utf8");
  const begin = `<!-- ${name} -->\n`;
  const from = document.indexOf(begin);
  const to = document.indexOf(`<!-- end of ${name} -->`);
  if (from < 0 || to < from) throw new Error(`${DOCUMENT} has no part for ${name}`);
  writeFileSync(DOCUMENT, `${document.slice(0, from)}${begin}\n${text}\n\n${document.slice(to)}`);
}
