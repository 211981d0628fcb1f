/** A search that MLflow would refuse, in its words. Its error code is INVALID_PARAMETER_VALUE, its HTTP status 400. */
export class SearchRefusal extends Error {
  override readonly name = "SearchRefusal";
}

/** A set as Python prints it. MLflow's own order of it changes with each start of the server. */
export function pythonSet(words: Iterable<string>): string {
  return `{${quoted(words)}}`;
}

/** A list as Python prints it, of words without quotes in them. */
export function pythonList(words: Iterable<string>): string {
  return `[${quoted(words)}]`;
}

function quoted(words: Iterable<string>): string {
  return Array.from(words, (word) => `'${word}'`).join(", ");
}
