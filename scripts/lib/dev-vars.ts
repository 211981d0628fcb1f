/** Reads the lines `KEY=value` of a .dev.vars file; quotes around a value are taken off. */
export function parseDevVars(text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (match?.[1] !== undefined) vars[match[1]] = unquote(match[2] ?? "");
  }
  return vars;
}

/**
 * A line from which the .dev.vars parser of wrangler reads exactly this value.
 * @throws Error that names the variable where none can be written
 */
export function devVarLine(name: string, value: string): string {
  const quote = ["'", "`", '"'].find((candidate) => !value.includes(candidate));
  if (quote === undefined) throw new Error(`${name} may not hold all three kinds of quotes at once.`);
  return `${name}=${quote}${value}${quote}\n`;
}

function unquote(value: string): string {
  const quoted = /^(['"`])(.*)\1/.exec(value);
  return quoted?.[2] ?? value.replace(/\s+#.*$/, "");
}
