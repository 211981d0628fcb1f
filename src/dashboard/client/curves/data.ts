import type { CurveSource } from "../../../answers/curves.ts";
import { type Axis, placeOf, type Range } from "../lib/curves/axis.ts";
import { extended, type HeldCurve, held, NOTHING, sourceId } from "../lib/curves/curve.ts";
import { earliest, latest, type Places } from "../lib/curves/places.ts";
import type { Answer, CurvesApi } from "./api.ts";

/** How long wishes for curves are gathered: what comes into view together is one request. */
const GATHER_MS = 30;
/** When what could not be read is asked for again. */
const AGAIN_MS = 3_000;

type Part = { axis: Axis; zoom: Range };
type BySource = ReadonlyMap<string, HeldCurve>;

/** The curves that the page has: whole ones, and of a zoom its part in more detail. */
export class CurveData {
  readonly #api: CurvesApi;
  readonly #onChange: (keys: readonly string[]) => void;
  readonly #onTrouble: (words: string | null) => void;
  readonly #whole = new Map<string, BySource>();
  #parts = new Map<string, BySource>();
  #part: Part | null = null;
  #origins: ReadonlyMap<string, number> = new Map();
  /** Up to which events each whole curve is known. */
  readonly #places = new Map<string, Places>();
  #wished = new Set<string>();
  #timer = 0;
  #again = 0;

  constructor(
    api: CurvesApi,
    on: { change: (keys: readonly string[]) => void; trouble: (words: string | null) => void },
  ) {
    this.#api = api;
    this.#onChange = on.change;
    this.#onTrouble = on.trouble;
  }

  setSources(sources: readonly CurveSource[]): void {
    this.#origins = new Map(sources.map((source) => [sourceId(source), Date.parse(source.origin)]));
  }

  originOf(id: string): number {
    return this.#origins.get(id) ?? 0;
  }

  /** What is drawn of a metric, by source; undefined while it is not here. */
  curves(key: string): BySource | undefined {
    return this.#parts.get(key) ?? this.#whole.get(key);
  }

  /** Has a metric read, once. */
  wish(key: string): void {
    if (this.#whole.has(key) || this.#wished.has(key)) return;
    this.#wished.add(key);
    this.#timer ||= window.setTimeout(() => {
      this.#timer = 0;
      const keys = [...this.#wished];
      void this.#guarded(() => this.#readWhole(keys)).then((isHere) => {
        for (const key of keys) this.#wished.delete(key);
        if (!isHere) this.#again = window.setTimeout(() => this.#onChange(keys), AGAIN_MS);
      });
    }, GATHER_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
  }

  /** Has a part read in more detail, of those metrics that are here and thinned; null: only the whole is drawn. */
  async zoom(part: Part | null): Promise<void> {
    this.#part = part;
    this.#parts = new Map();
    await this.#guarded(() => this.#readParts([...this.#whole.keys()]));
  }

  /** Adds what came since; whether that went well. */
  async refresh(): Promise<boolean> {
    const keys = [...this.#whole.keys()];
    if (keys.length === 0) return true;
    return this.#guarded(async () => {
      if (!this.#api.isPushed) {
        await this.#readWhole(keys);
        return;
      }
      const known = earliest(
        keys.flatMap((key) => {
          const places = this.#places.get(key);
          return places ? [places] : [];
        }),
      );
      const answer = await this.#api.news(keys, known);
      if (answer.reset) {
        await this.#readWhole(keys);
        return;
      }
      // What was read whole meanwhile may be ahead.
      for (const key of keys) this.#places.set(key, latest(answer.places, this.#places.get(key) ?? []));
      this.#add(answer);
    });
  }

  async #readWhole(keys: readonly string[]): Promise<void> {
    const answer = await this.#api.read(keys, null);
    const found = bySource(answer);
    for (const key of keys) {
      this.#whole.set(key, found.get(key) ?? new Map());
      this.#places.set(key, answer.places);
    }
    this.#onChange(keys);
    await this.#readParts(keys);
  }

  async #readParts(keys: readonly string[]): Promise<void> {
    const part = this.#part;
    if (part === null) return;
    const thinned = keys.filter((key) =>
      [...(this.#whole.get(key)?.values() ?? [])].some(({ isThinned }) => isThinned),
    );
    if (thinned.length === 0) return;
    const found = bySource(await this.#api.read(thinned, part));
    // The reader may have gone on meanwhile.
    if (part !== this.#part) return;
    for (const key of thinned) this.#parts.set(key, found.get(key) ?? new Map());
    this.#onChange(thinned);
  }

  #add(answer: Answer): void {
    const part = this.#part;
    for (const [key, news] of bySource(answer))
      for (const [id, { points }] of news) {
        const grown = (curves: BySource | undefined, within: Range | null) =>
          new Map(curves).set(
            id,
            extended(curves?.get(id) ?? NOTHING, points, (point) => {
              if (part === null || within === null) return true;
              const x = placeOf(point, part.axis, this.originOf(id));
              return x >= within[0] && x <= within[1];
            }),
          );
        this.#whole.set(key, grown(this.#whole.get(key), null));
        const shown = this.#parts.get(key);
        if (shown && part) this.#parts.set(key, grown(shown, part.zoom));
      }
    this.#onChange([...new Set(answer.curves.map(({ key }) => key))]);
  }

  /** Whether it went well. */
  async #guarded(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#onTrouble(null);
      return true;
    } catch (error) {
      this.#onTrouble(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}

function bySource({ curves }: Answer): Map<string, Map<string, HeldCurve>> {
  const found = new Map<string, Map<string, HeldCurve>>();
  for (const curve of curves) {
    const ofKey = found.get(curve.key) ?? new Map<string, HeldCurve>();
    found.set(curve.key, ofKey.set(sourceId(curve), held(curve)));
  }
  return found;
}
