/** Rows of one shape as a table in markdown, numbers to the right. */
export function table(rows: readonly object[]): string {
  const [first = {}] = rows;
  const lines = [
    Object.keys(first),
    Object.values(first).map((value) => (typeof value === "number" ? "---:" : "---")),
    ...rows.map((row) => Object.values(row).map(String)),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
