import { MAX_DEPTH } from "./limits.ts";

export type Leaf = { path: string[]; key: string; value: unknown };

/**
 * Flattens nested maps with dots: `{train: {loss: 1}}` gives `train.loss`. Lists are leaves.
 * @returns the leaves in order, or the first key that occurs twice or nests deeper than `MAX_DEPTH`.
 */
export function flatten(map: Record<string, unknown>): { leaves: Leaf[] } | { path: string[]; rule: string } {
  const leaves: Leaf[] = [];
  const seen = new Set<string>();
  const walk = (node: Record<string, unknown>, path: string[]): { path: string[]; rule: string } | null => {
    for (const [name, value] of Object.entries(node)) {
      const here = [...path, name];
      if (here.length > MAX_DEPTH) return { path: here, rule: `must nest at most ${MAX_DEPTH} deep` };
      if (isMap(value)) {
        const problem = walk(value, here);
        if (problem) return problem;
        continue;
      }
      const key = here.join(".");
      if (seen.has(key)) return { path: here, rule: `must not give "${key}" twice once flattened with dots` };
      seen.add(key);
      leaves.push({ path: here, key, value });
    }
    return null;
  };
  return walk(map, []) ?? { leaves };
}

/** A JSON object, not a list. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
