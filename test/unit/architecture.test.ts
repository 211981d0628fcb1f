import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { expect, test } from "vitest";

/** ARCHITECTURE.md's picture: what stands higher may import what stands lower, and nothing else. */
const ROOMS = [
  ["gateway", "routes", "relay", "store", "answers", "domain"],
  ["relay/consume.ts", "relay/cron", "relay/jobs", "relay/repair", "relay/follow", "relay/delivery"],
  [
    "relay/delivery",
    "relay/merge",
    "relay/stream",
    "relay/intake",
    "relay/line",
    "relay/deps.ts",
    "relay/messages.ts",
  ],
  [
    "store/turn",
    "store/ops",
    "store/views",
    "store/gateway",
    "store/jobs",
    "store/readback",
    "store/mirror",
    "store/delivery",
  ],
  ["store/delivery", "store/journal", "store/stream", "store/listing", "store/database", "store/schema"],
  ["store/schema", "store/sql.ts"],
  ["routes", "store", "search", "domain"],
  ["relay", "search"],
  ["relay", "mlflow", "domain"],
  ["dashboard", "gateway", "routes", "relay", "store", "answers", "domain"],
  ["dashboard/pages", "dashboard/parts"],
  ["routes", "relay", "store", "gateway/requests"],
  ["routes", "relay", "store", "gateway/answers"],
];

const SOURCE = join(import.meta.dirname, "../../src");

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" }).filter((file) =>
  /\.tsx?$/.test(file),
);
const texts = new Map(files.map((file) => [file, readFileSync(join(SOURCE, file), "utf8")]));
const imports = new Map(
  [...texts].map(([file, text]) => {
    const named = [...text.matchAll(/ from "(\.[^"]+)"/g)].map(([, path = ""]) =>
      normalize(join(dirname(file), path)),
    );
    return [file, named.filter((path) => !relative(".", path).startsWith(".."))];
  }),
);

const isIn = (room: string) => (file: string) => file === room || file.startsWith(`${room}/`);

test.each(ROOMS.flatMap((rooms) => rooms.flatMap((low, i) => rooms.slice(0, i).map((high) => [low, high]))))(
  "%s imports nothing of %s",
  (low, high) => {
    const arrows = [...imports].filter(([file]) => isIn(low)(file));
    expect(arrows.length).toBeGreaterThan(0);
    const upward = arrows.flatMap(([file, paths]) =>
      paths.filter((path) => isIn(high)(path) && !isIn(low)(path)).map((path) => `${file} -> ${path}`),
    );
    expect(upward).toEqual([]);
  },
);

/** What only SQL is made of: its tables, its builder, and statements by hand. */
const SQL = /from "drizzle-orm[^"]*"|from "[^"]*store\/schema\/|\.prepare\(|\.batch\(/g;

/** MLflow's filters and orders become expressions, which the store's queries take up; there are no statements among them. */
const EXPRESSIONS = new Map([["search", 'from "drizzle-orm"']]);

test("all SQL is in store/", () => {
  const outside = [...texts].filter(([file]) => !isIn("store")(file));
  const found = outside.flatMap(([file, text]) =>
    [...text.matchAll(SQL)]
      .filter(([sql]) => sql !== EXPRESSIONS.get(file.split("/")[0] ?? ""))
      .map(([sql]) => `${file}: ${sql}`),
  );
  expect(found).toEqual([]);
});

test("no file imports itself by others", () => {
  const seen = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const walk = (file: string, path: readonly string[]) => {
    if (seen.get(file) === "open") cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
    if (seen.has(file)) return;
    seen.set(file, "open");
    for (const next of imports.get(file) ?? []) walk(next, [...path, file]);
    seen.set(file, "done");
  };
  for (const file of files) walk(file, []);
  expect(cycles).toEqual([]);
});

/** What a module has for itself from one request to the next; a browser's page has one life. */
const OWN = /^(?:export )?(?:let |const \w+ = new (?:Map|Set)(?:<.*>)?\(\))/m;

test("what an isolate remembers can be forgotten", () => {
  const own = [...texts].filter(([file, text]) => !isIn("dashboard/client")(file) && OWN.test(text));
  expect(own.map(([file]) => file)).toEqual([]);
  expect(OWN.test("const known = new Map<string, string>();")).toBe(true);
});
