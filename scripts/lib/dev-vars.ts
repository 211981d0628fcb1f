/** Reads the lines `KEY=value` of a .dev.vars file; quotes around a value are taken off. */
export function parseDevVars(text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) vars[match[1]] = unquote(match[2] ?? "");
  }
  return vars;
}

/** Writes a value so that the .dev.vars parser of wrangler reads back exactly this value. */
export function quoteDevVar(value: string): string {
  const quote = ["'", "`", '"'].find((candidate) => !value.includes(candidate));
  if (quote === undefined) throw new Error("a variable may not hold all three kinds of quotes");
  return quote + value + quote;
}

function unquote(value: string): string {
  const quoted = /^(['"`])(.*)\1/.exec(value);
  return quoted?.[2] ?? value.replace(/\s+#.*$/, "");
}
