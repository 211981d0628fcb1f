/**
 * What is below a place of artifacts. A query stays at the end, as in MLflow: behind it the path would be read as part of
 * it, and all runs would write over each other's files.
 */
export function placeBelow(location: string, path: string): string {
  // What has no scheme is a path, in which a question mark is a letter.
  const end = /^[a-z][a-z\d+.-]*:/i.test(location) ? location.search(/\?|$/) : location.length;
  return `${location.slice(0, end).replace(/\/+$/, "")}/${path}${location.slice(end)}`;
}
