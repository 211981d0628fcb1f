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

/** A number as Python prints a float: `1.5`, `100000.0`, `1e-05`, `inf`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const [digits = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 16)
    return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  const plain = Object.is(value, -0) ? "-0" : String(value);
  return Number.isInteger(value) ? `${plain}.0` : plain;
}
