import type { Facts } from "../domain/types.ts";
import { RUN_NAME_TAG } from "../mlflow/tags.ts";

/** A row of the database holds 2 MB, and a character takes up to three bytes. */
const MAX_FACTS_CHARS = 600_000;

/** What names a run: the name and MLflow's own tag of it. An empty one changes neither. */
export function nameFacts(name: string): Texts {
  return name === "" ? {} : { tags: { [RUN_NAME_TAG]: name }, fields: { run_name: name } };
}

type Texts = Pick<Facts, "params" | "tags" | "fields">;

/** Facts together as far as they fit into one event, later ones over earlier ones. */
export function inPieces(facts: readonly Texts[]): Texts[] {
  const pieces: Texts[] = [];
  let chars = 0;
  for (const one of facts) {
    const more = JSON.stringify(one).length;
    const last = pieces.at(-1);
    if (last && chars + more <= MAX_FACTS_CHARS) {
      pieces[pieces.length - 1] = joined(last, one);
      chars += more;
    } else {
      pieces.push(one);
      chars = more;
    }
  }
  return pieces;
}

function joined(a: Texts, b: Texts): Texts {
  return {
    ...(a.params || b.params ? { params: { ...a.params, ...b.params } } : {}),
    ...(a.tags || b.tags ? { tags: { ...a.tags, ...b.tags } } : {}),
    ...(a.fields || b.fields ? { fields: { ...a.fields, ...b.fields } } : {}),
  };
}
