import type { CurveShown, CurveSource, Curves } from "../../../answers/curves.ts";
import type { Axis, Range } from "../lib/curves/axis.ts";
import { toApi } from "../lib/curves/axis.ts";
import { earliest, type Places, readPlaces } from "../lib/curves/places.ts";
import { inHelpings } from "../lib/helpings.ts";

/** The relay's `/api/curves`, with the session's cookie. */

export type Listed = {
  sources: CurveSource[];
  metrics: { key: string; sources: number }[];
  truncated: boolean;
};
export type Answer = { places: Places; reset: boolean; curves: CurveShown[] };

/** The API takes so many curves, and so many names of metrics, at once. */
const MAX_CURVES = 100;
const MAX_KEYS = 50;
/** Of many trials in one chart each has few pixels more than one has. */
const MAX_POINTS = 1_000;
const POINTS_OF_MANY = 500;
const MANY = 8;

export class CurvesApi {
  readonly #sources: URLSearchParams;
  readonly #count: number;

  constructor(trials: readonly string[], runs: readonly string[]) {
    this.#sources = new URLSearchParams({
      ...(trials.length > 0 ? { trials: trials.join(",") } : {}),
      ...(runs.length > 0 ? { runs: runs.join(",") } : {}),
    });
    this.#count = trials.length + runs.length;
  }

  /** Of runs that only MLflow has nothing comes by itself: they are read again. */
  get isPushed(): boolean {
    return !this.#sources.has("runs");
  }

  /** The address of the list, which changes whenever something came. */
  get listAddress(): string {
    return `/api/curves/metrics?${this.#sources}`;
  }

  /** Whole curves, or a part of them. */
  async read(keys: readonly string[], part: { axis: Axis; zoom: Range } | null): Promise<Answer> {
    const window = part === null ? {} : { axis: part.axis, ...toApi(part.zoom, part.axis) };
    const max_points = this.#count > MANY ? POINTS_OF_MANY : MAX_POINTS;
    return this.#ask(keys, { ...window, max_points });
  }

  /** What came since. */
  async news(keys: readonly string[], after: Places): Promise<Answer> {
    return this.#ask(keys, { after: after.join("-") });
  }

  async #ask(keys: readonly string[], more: Record<string, string | number>): Promise<Answer> {
    const atOnce = Math.max(1, Math.min(MAX_KEYS, Math.floor(MAX_CURVES / Math.max(1, this.#count))));
    const whole: Omit<Answer, "places"> = { reset: false, curves: [] };
    const places: Places[] = [];
    for (const some of inHelpings(keys, atOnce)) {
      const query = new URLSearchParams(this.#sources);
      query.set("keys", some.join(","));
      for (const [name, value] of Object.entries(more)) query.set(name, String(value));
      const response = await fetch(`/api/curves?${query}`, { headers: { accept: "application/json" } });
      if (!response.ok) throw new Error(`The relay answers ${response.status}.`);
      const answer: Curves = await response.json();
      places.push(readPlaces(answer.seq));
      whole.reset ||= answer.reset;
      whole.curves.push(...answer.curves);
    }
    return { ...whole, places: earliest(places) };
  }
}
