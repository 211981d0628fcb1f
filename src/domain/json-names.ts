import { MAX_SAID } from "./problems.ts";

/** The names that an item has more than once, by their paths: of each the last one stands. `more`: so many beyond them. */
export type Doubled = { paths: PropertyKey[][]; more: number };

/** A list counts its values; an object holds the names that it has, and whether each was told of. */
type Level = { index: number } | { name: string | null; told: Map<string, boolean> | null };

/** Follows a scan of JSON text from value to value, and notes names that an object has twice. */
export class Names {
  readonly doubled = new Map<number, Doubled>();
  readonly #levels: Level[] = [];
  readonly #itemDepth: number;

  /** @param itemDepth 1 where the text is a list of items, 0 where it is one */
  constructor(itemDepth: 0 | 1) {
    this.#itemDepth = itemDepth;
  }

  open(isList: boolean): void {
    this.#levels.push(isList ? { index: 0 } : { name: null, told: null });
  }

  close(): void {
    this.#levels.pop();
  }

  comma(): void {
    const level = this.#levels.at(-1);
    if (!level) return;
    if ("index" in level) level.index++;
    else level.name = null;
  }

  /** Whether the text that comes next is a name. */
  get isNext(): boolean {
    const level = this.#levels.at(-1);
    return level !== undefined && "name" in level && level.name === null;
  }

  /** @param written as it stands between its quotes */
  name(written: string): void {
    const level = this.#levels.at(-1);
    if (!level || "index" in level) return;
    const name = written.includes("\\") ? unescaped(written) : written;
    level.name = name;
    level.told ??= new Map();
    const told = level.told.get(name);
    level.told.set(name, told !== undefined);
    if (told === false) this.#tell();
  }

  #tell(): void {
    const path = this.#levels.map((level) => ("index" in level ? level.index : (level.name ?? "")));
    const item = this.#itemDepth === 1 ? Number(path[0]) : 0;
    const doubled = this.doubled.get(item) ?? { paths: [], more: 0 };
    this.doubled.set(item, doubled);
    if (doubled.paths.length < MAX_SAID) doubled.paths.push(path.slice(this.#itemDepth));
    else doubled.more++;
  }
}

function unescaped(written: string): string {
  try {
    return String(JSON.parse(`"${written}"`));
  } catch {
    // No JSON, as whoever parses it will say.
    return written;
  }
}
