/** Cloudflare takes addresses of 16 KB; what else stands in one that has a list has the other half. */
const MAX_CHARS = 8_000;

/** A list in helpings that each fit into an address: a name of a metric may have 250 characters, and one of these nine there. */
export function inHelpings(list: readonly string[], most: number): string[][] {
  const helpings: string[][] = [];
  let room = 0;
  for (const item of list) {
    // With the comma before it.
    const chars = encodeURIComponent(`,${item}`).length;
    const last = helpings.at(-1);
    if (last && last.length < most && chars <= room) last.push(item);
    else {
      helpings.push([item]);
      room = MAX_CHARS;
    }
    room -= chars;
  }
  return helpings;
}
