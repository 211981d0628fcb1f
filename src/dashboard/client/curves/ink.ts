/** The colours of a canvas are those that the style sheet gives its place: they change with light and dark. */
export function inkOf(host: HTMLElement): { text: string; line: string; font: string } {
  const { color, borderTopColor, fontFamily } = getComputedStyle(host);
  return { text: color, line: borderTopColor, font: `11px ${fontFamily}` };
}
