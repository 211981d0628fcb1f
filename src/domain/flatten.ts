import { MAX_DEPTH, MAX_KEY_CHARS } from "./limits.ts";

/** `holder` is the object that holds the value under the last name of `path`; `problem` says why it cannot be taken. */
export type Leaf = { path: string[]; key: string; value: unknown; holder: object; problem: string | null };

/** Beyond this no key can be taken, and what is below it is one leaf: else a long name would cost once a leaf. */
const MAX_PREFIX_UNITS = 2 * MAX_KEY_CHARS;

/**
 * Flattens nested maps with dots: `{train: {loss: 1}}` gives `train.loss`. Lists are leaves, and so are empty maps and
 * what nests deeper than `MAX_DEPTH`. Of two leaves that would have one key the first stands.
 */
export function flatten(map: Record<string, unknown>): Leaf[] {
  const leaves: Leaf[] = [];
  const seen = new Set<string>();
  const walk = (holder: Record<string, unknown>, path: string[], prefix: string): void => {
    for (const [name, value] of Object.entries(holder)) {
      const here = [...path, name];
      const key = prefix + name;
      if (isMap(value) && hasEntries(value) && here.length < MAX_DEPTH && key.length < MAX_PREFIX_UNITS) {
        walk(value, here, `${key}.`);
        continue;
      }
      const problem = seen.has(key) ? "must not have a name that another has once flattened with dots" : null;
      seen.add(key);
      leaves.push({ path: here, key, value, holder, problem });
    }
  };
  walk(map, [], "");
  return leaves;
}

function hasEntries(map: Record<string, unknown>): boolean {
  for (const name in map) if (Object.hasOwn(map, name)) return true;
  return false;
}

/** A JSON object, not a list. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands at a path, or undefined. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (node, part) => (isMap(node) || Array.isArray(node) ? Reflect.get(node, part) : undefined),
    root,
  );
}
