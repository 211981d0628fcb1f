import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../../scripts/lib/wrangler.ts";

/** What people read: every link in it leads to something. */
const documents = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT });

test("there is a document for each reader", () => {
  const readers = ["trainers", "operators", "both-directions", "settings", "guarantees", "benchmarks"];
  expect(documents).toEqual(expect.arrayContaining(readers.map((name) => `docs/${name}.md`)));
});

describe.each(documents)("%s", (document) => {
  test("has links that lead somewhere", () => {
    expect(linksOf(document).filter((link) => !leadsSomewhere(document, link))).toEqual([]);
  });

  test("names scripts that there are", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const named = [...read(document).matchAll(/\bnpm (?:run ([\w:-]+)|(start|test))/g)];
    expect(
      named.map(([, run, own]) => run ?? own).filter((name) => !Object.hasOwn(scripts, name ?? "")),
    ).toEqual([]);
  });
});

test("every document is reached from the README", () => {
  const reached = new Set(["README.md"]);
  for (const document of reached)
    for (const link of linksOf(document)) {
      const [path] = link.split("#");
      if (path) reached.add(relative(ROOT, join(ROOT, dirname(document), path)));
    }
  expect(documents.filter((document) => !reached.has(document))).toEqual([]);
});

/** Its links within the repository. */
function linksOf(document: string): string[] {
  if (!document.endsWith(".md")) return [];
  const links = [...prose(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link ?? "");
  return links.filter((link) => !/^[a-z]+:/.test(link));
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? document : join(dirname(document), path);
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || anchorsOf(target).has(anchor);
}

/** The names that GitHub gives to headings. */
function anchorsOf(document: string): Set<string> {
  const headings = [...prose(document).matchAll(/^#{1,6} (.+)$/gm)].map(([, text]) => text ?? "");
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** The text without its blocks of code. */
const prose = (document: string) => read(document).replace(/^ *```[\s\S]*?^ *```$/gm, "");

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
