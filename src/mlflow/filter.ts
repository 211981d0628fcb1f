/**
 * A filter for runs whose tag has exactly this value. MLflow's filter language has no escapes: a doubled or escaped
 * quote is compared as it stands and finds nothing (measured on 2.22 and 3.17), so a text takes whichever quote it
 * does not contain. A backslash at its end would swallow the closing quote when filters are joined with AND.
 * @returns null if the key or the value cannot be expressed
 */
export function tagEquals(key: string, value: string): string | null {
  const quotedKey = quote(key, ["`", '"']);
  const quotedValue = quote(value, ["'", '"']);
  return quotedKey && quotedValue ? `tags.${quotedKey} = ${quotedValue}` : null;
}

/** The same for a beginning, of letters, digits, dots and dashes. */
export function tagBegins(key: string, value: string): string | null {
  const quotedKey = quote(key, ["`", '"']);
  return quotedKey && /^[\w.-]+$/.test(value) ? `tags.${quotedKey} LIKE '${value}%'` : null;
}

/** A filter for runs by their ids, which MLflow makes of letters, digits, underscores and dashes. */
export function runIdIn(runIds: readonly string[]): string {
  return `attributes.run_id IN (${idList(runIds)})`;
}

/** The same for logged models, in whose language an attribute has no prefix. */
export function modelIdIn(modelIds: readonly string[]): string {
  return `model_id IN (${idList(modelIds)})`;
}

function idList(ids: readonly string[]): string {
  const quoted = ids.filter((id) => /^[\w-]+$/.test(id)).map((id) => `'${id}'`);
  return quoted.join(",");
}

function quote(text: string, marks: string[]): string | null {
  const mark = marks.find((m) => !text.includes(m));
  return mark === undefined || text.endsWith("\\") ? null : mark + text + mark;
}
