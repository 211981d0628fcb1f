/** Where the keyboard is in a grid; row -1 is the headings. */
export type Place = { row: number; column: number };

type Key = { key: string; ctrlKey: boolean; metaKey: boolean };

/** The place after a key; null where the key does not move. @param page so many rows are seen at once */
export function placeAfter(
  { key, ctrlKey, metaKey }: Key,
  { row, column }: Place,
  size: { rows: number; columns: number },
  page: number,
): Place | null {
  const far = ctrlKey || metaKey;
  const clamped = (to: Place): Place => ({
    row: Math.max(-1, Math.min(size.rows - 1, to.row)),
    column: Math.max(0, Math.min(size.columns - 1, to.column)),
  });
  switch (key) {
    case "ArrowUp":
      return clamped({ row: far ? -1 : row - 1, column });
    case "ArrowDown":
      return clamped({ row: far ? size.rows : row + 1, column });
    case "ArrowLeft":
      return clamped({ row, column: far ? 0 : column - 1 });
    case "ArrowRight":
      return clamped({ row, column: far ? size.columns : column + 1 });
    case "PageUp":
      return clamped({ row: row - page, column });
    case "PageDown":
      return clamped({ row: row + page, column });
    case "Home":
      return clamped({ row: far ? 0 : row, column: 0 });
    case "End":
      return clamped({ row: far ? size.rows : row, column: size.columns });
    default:
      return null;
  }
}
