import uPlot from "uplot";
import { type Axis, lengthOf, type Range } from "../lib/curves/axis.ts";
import { lonely, nearest, widened } from "../lib/curves/columns.ts";
import type { Drawn } from "../lib/curves/drawn.ts";
import { middleRange } from "../lib/curves/outliers.ts";
import { inkOf } from "./ink.ts";
import { drawMarks } from "./marks.ts";

/** One metric's chart: a line a trial, and a faint one of what it was before smoothing. */

const LINE_PX = 1.6;
/** Above and below the lines, of their height. */
const Y_PADDING = 0.1;
/** Hexadecimal, behind a colour: how faint the raw line is beside the smoothed one, and beside many of them. */
const FAINT = "55";
const FAINTER = "1c";
const MANY_LINES = 6;
const POINT_PX = 5;
const TIME_STEPS_SECONDS = [
  0.001, 0.01, 0.1, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400,
  172_800, 604_800, 2_592_000,
];

export type Line = {
  id: string;
  name: string;
  color: string;
  dash: readonly number[] | undefined;
  drawn: Drawn;
  /** Beside it the raw line is drawn faint. */
  smoothed: (number | null)[] | null;
};
export type View = {
  axis: Axis;
  logX: boolean;
  logY: boolean;
  ignoresOutliers: boolean;
  zoom: Range | null;
};
export type Readout = { x: number | null; values: { line: Line; y: number }[] };
export type ChartEvents = {
  zoom: (range: Range | null) => void;
  cursor: (readout: Readout) => void;
  /** It stands as it was asked for: drawing is gathered. */
  drawn: () => void;
};

export class Chart {
  readonly #host: HTMLElement;
  readonly #events: ChartEvents;
  readonly #resize: ResizeObserver;
  #plot: uPlot | null = null;
  #dragged = false;
  #shape = "";
  #lines: readonly Line[] = [];
  #view: View = { axis: "step", logX: false, logY: false, ignoresOutliers: false, zoom: null };

  constructor(host: HTMLElement, events: ChartEvents) {
    this.#host = host;
    this.#events = events;
    this.#resize = new ResizeObserver(() => {
      const width = host.clientWidth;
      if (this.#plot && width > 0) this.#plot.setSize({ width, height: host.clientHeight });
    });
    this.#resize.observe(host);
    host.addEventListener("mousedown", () => {
      this.#dragged = true;
    });
  }

  /** Draws; the zoom is where the view has it, whatever data came. */
  draw(lines: readonly Line[], view: View): void {
    this.#lines = lines;
    this.#view = view;
    const { axis, logX, logY } = view;
    const shape = JSON.stringify([axis, logX, logY, inkOf(this.#host), lines.map(shapeOf)]);
    const data = dataOf(lines);
    if (this.#plot && shape === this.#shape) {
      this.#plot.setData(data, true);
      return;
    }
    this.#shape = shape;
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), data, this.#host);
  }

  get range(): Range | null {
    const { min, max } = this.#plot?.scales.x ?? {};
    return typeof min === "number" && typeof max === "number" ? [min, max] : null;
  }

  get canvas(): HTMLCanvasElement | null {
    return this.#plot?.ctx.canvas ?? null;
  }

  /** Moves the cursor by so many points. */
  step(by: number): void {
    const plot = this.#plot;
    const xs = plot?.data[0];
    if (!plot || !xs || xs.length === 0) return;
    const [from = 0, to = xs.length - 1] = plot.series[0]?.idxs ?? [];
    const now = plot.cursor.idx ?? (by > 0 ? from - 1 : to + 1);
    const next = Math.min(to, Math.max(from, now + by));
    const x = xs[next];
    if (x === undefined) return;
    plot.setCursor({ left: plot.valToPos(x, "x"), top: plot.over.clientHeight / 2 });
  }

  close(): void {
    this.#resize.disconnect();
    this.#plot?.destroy();
    this.#plot = null;
  }

  #options(): uPlot.Options {
    const { axis, logX, logY } = this.#view;
    const ink = inkOf(this.#host);
    const look = {
      stroke: ink.text,
      grid: { stroke: ink.line, width: 1 },
      ticks: { stroke: ink.line, width: 1, size: 4 },
      font: ink.font,
    };
    const relative =
      axis === "relative"
        ? { values: (_: uPlot, places: number[]) => places.map(lengthOf), incrs: TIME_STEPS_SECONDS }
        : {};
    return {
      width: Math.max(this.#host.clientWidth, 1),
      height: Math.max(this.#host.clientHeight, 1),
      legend: { show: false },
      scales: {
        x: {
          time: axis === "time",
          distr: logX ? 3 : 1,
          range: (_, min, max) => widened(this.#view.zoom ?? [min, max], logX),
        },
        y: { distr: logY ? 3 : 1, range: (plot, min, max) => this.#heights(plot, min, max) },
      },
      axes: [
        { ...look, ...relative, size: 32 },
        { ...look, size: 56 },
      ],
      series: [{}, ...this.#lines.flatMap((line, _, { length }) => seriesOf(line, length))],
      cursor: {
        y: false,
        sync: { key: "curves", setSeries: false, scales: ["x", null] },
        drag: { x: true, y: false, setScale: false },
        points: { size: POINT_PX + 2 },
        dataIdx: (plot, series, at, x) => nearest(plot.data[0], plot.data[series] ?? [], at, x),
        bind: { dblclick: () => this.#whole },
      },
      hooks: {
        setSelect: [(plot) => this.#selected(plot)],
        setCursor: [(plot) => this.#events.cursor(this.#readout(plot))],
        draw: [(plot) => drawMarks(plot, this.#lines), () => this.#events.drawn()],
      },
    };
  }

  /** From where to where values are drawn; that of nothing is the library's own to find. */
  #heights(plot: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax {
    const { logY, ignoresOutliers } = this.#view;
    const [first = 0, last = plot.data[0].length - 1] = plot.series[0]?.idxs ?? [];
    const middle = ignoresOutliers ? middleRange(plot.data.slice(1), first, last) : null;
    const [from, to] = middle ?? [min, max];
    if (from === null || to === null) return [null, null];
    return logY ? uPlot.rangeLog(from, to, 10, false) : uPlot.rangeNum(from, to, Y_PADDING, true);
  }

  readonly #whole = (): null => {
    this.#events.zoom(null);
    return null;
  };

  #selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width <= 0) return;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    // What is dragged in one chart is seen in all; only that one tells.
    if (!this.#dragged) return;
    this.#dragged = false;
    this.#events.zoom([plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]);
  }

  #readout(plot: uPlot): Readout {
    const { idx, idxs } = plot.cursor;
    const x = idx === null || idx === undefined ? null : (plot.data[0][idx] ?? null);
    let series = 0;
    const values = this.#lines.flatMap((line) => {
      series += line.smoothed ? 2 : 1;
      const at = idxs?.[series];
      const y = at === null || at === undefined ? null : plot.data[series]?.[at];
      return typeof y === "number" ? [{ line, y }] : [];
    });
    return { x, values };
  }
}

const shapeOf = ({ id, name, color, dash, smoothed }: Line) => [id, name, color, dash, smoothed !== null];

/** Columns over the same places. What a line has not is undefined; where it is broken, null. */
function dataOf(lines: readonly Line[]): uPlot.AlignedData {
  const tables = lines.map(
    ({ drawn, smoothed }): uPlot.AlignedData =>
      smoothed ? [drawn.xs, drawn.ys, smoothed] : [drawn.xs, drawn.ys],
  );
  const [only, ...others] = tables;
  if (!only) return [[]];
  return others.length === 0 ? only : uPlot.join(tables);
}

function seriesOf({ name, color, dash, smoothed }: Line, lines: number): uPlot.Series[] {
  const faint = lines < MANY_LINES ? FAINT : FAINTER;
  const own = (stroke: string, width: number): uPlot.Series => ({
    label: name,
    stroke,
    width,
    ...(dash ? { dash: [...dash] } : {}),
    points: {
      size: POINT_PX,
      width: 1,
      fill: stroke,
      filter: (plot, series, all) => (all ? null : lonely(plot.data[series] ?? [])),
    },
  });
  return smoothed
    ? [{ ...own(`${color}${faint}`, 1), points: { show: false } }, own(color, LINE_PX)]
    : [own(color, LINE_PX)];
}
