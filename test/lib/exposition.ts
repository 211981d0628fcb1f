export type ParsedFamily = { type: string; help: string; samples: Map<string, number> };

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const PAIR = String.raw`[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*"`;
const HELP = new RegExp(String.raw`^# HELP (${NAME}) ((?:[^\\]|\\[\\n])*)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|untyped)$`);
const SAMPLE = new RegExp(String.raw`^(${NAME})(\{${PAIR}(?:,${PAIR})*\})? (\S+)$`);
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|NaN|[+-]Inf)$/i;

/**
 * Reads Prometheus' text format 0.0.4 more strictly than Prometheus does: HELP, TYPE, then samples, each family once,
 * each series once, a known type, a counter's name in _total, a line feed at the very end.
 */
export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map<string, ParsedFamily>();
  const lines = text.slice(0, -1).split("\n").values();
  let line = lines.next().value;
  while (line !== undefined) {
    const [, name = "", help = ""] = must(HELP.exec(line), "a HELP line", line);
    const typeLine = lines.next().value ?? "";
    const [, typed, type = ""] = must(TYPE.exec(typeLine), "a TYPE line", typeLine);
    if (typed !== name || families.has(name)) throw new Error(`${name} is not one family: ${typeLine}`);
    if ((type === "counter") !== name.endsWith("_total")) throw new Error(`${name} is named as another type`);
    const samples = new Map<string, number>();
    for (line = lines.next().value; line !== undefined && !line.startsWith("#"); line = lines.next().value) {
      const [, of, labels = "", value = ""] = must(SAMPLE.exec(line), "a sample", line);
      must(NUMBER.exec(value), "a number", line);
      if (of !== name || samples.has(labels)) throw new Error(`not a new series of ${name}: ${line}`);
      samples.set(labels, Number(value.replace(/inf$/i, "Infinity")));
    }
    if (samples.size === 0) throw new Error(`${name} has no samples`);
    families.set(name, { type, help, samples });
  }
  return families;
}

function must(match: RegExpExecArray | null, what: string, line: string): RegExpExecArray {
  if (match === null) throw new Error(`not ${what}: ${JSON.stringify(line)}`);
  return match;
}
