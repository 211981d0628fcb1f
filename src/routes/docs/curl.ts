import type { OperationObject } from "./document.ts";

/** A command to copy: the operation with its examples, and a token where one is needed. */
export function curlOf(origin: string, method: string, path: string, operation: OperationObject): string {
  const { parameters = [], security, requestBody } = operation;
  const inPath = parameters.filter((parameter) => parameter.in === "path");
  const query = new URLSearchParams(
    parameters.flatMap(({ in: where, name, example }) =>
      where === "query" && example !== undefined ? [[name, String(example)]] : [],
    ),
  );
  const target = inPath.reduce(
    (text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(String(example))),
    path,
  );
  const url = `${origin}${target}${query.size > 0 ? `?${query}` : ""}`;
  const [content] = Object.entries(requestBody?.content ?? {});
  const parts = [
    `curl -sS ${method === "get" || content ? "" : `-X ${method.toUpperCase()} `}${quoted(url)}`,
    ...(security.length > 0 ? ['-H "Authorization: Bearer $RELAY_TOKEN"'] : []),
    ...(content ? sent(...content) : []),
  ];
  return parts.join(" \\\n  ");
}

/** A body by its example, or a file where there is none: `-T` means PUT as well. */
function sent(type: string, content: { examples?: Record<string, { value: unknown }> }): string[] {
  if (content.examples === undefined) return ["-T FILE"];
  return [`-H ${quoted(`Content-Type: ${type}`)}`, `-d ${quoted(bodyText(content))}`];
}

function bodyText({ examples = {} }: { examples?: Record<string, { value: unknown }> }): string {
  const [first] = Object.values(examples);
  const value = first?.value;
  if (!Array.isArray(value)) return JSON.stringify(value);
  return `[\n  ${value.map((item) => JSON.stringify(item)).join(",\n  ")}\n]`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
