/** The Prometheus text format, version 0.0.4. */
export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;
export type Sample = { labels?: Labels; value: number };
export type Family = {
  name: string;
  type: "counter" | "gauge";
  help: string;
  samples: readonly Sample[];
};

/** The families as one exposition; a family without a sample says nothing and is left out. */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(
      ({ name, type, help, samples }) =>
        `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${samples
          .map(({ labels = {}, value }) => `${name}${labelText(labels)} ${valueText(value)}\n`)
          .join("")}`,
    )
    .join("");
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapedLabel(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapedHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapedLabel(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"');
}

const SERIES = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?$/s;
const PAIR = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/;

/** A series as it is written in an exposition (`name{label="value"}`), or null when it is not well-formed. */
export function parseSeries(text: string): { name: string; labels: Labels } | null {
  const [, name, pairs = ""] = SERIES.exec(text) ?? [];
  if (name === undefined) return null;
  const labels: Record<string, string> = {};
  for (let rest = pairs; rest !== ""; ) {
    const [matched, label, value] = PAIR.exec(rest) ?? [];
    if (matched === undefined || label === undefined || value === undefined || label in labels) return null;
    labels[label] = value.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
    rest = rest.slice(matched.length);
  }
  return { name, labels };
}
