import type { EChartsCoreOption } from "echarts/core";
import { useMemo, useRef } from "hono/jsx/dom";
import { bestIs, columnOf, joinList } from "../../../domain/table-columns.ts";
import { axisOf, placeOn } from "../lib/axes.ts";
import { type Brush, isBrushed, withBrushes } from "../lib/brushes.ts";
import { cellText } from "../lib/cell-text.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";
import { Brushing } from "./brushing.tsx";
import type { Chart, Colours } from "./echart.ts";
import { ChartFigure, Rows } from "./figure.tsx";
import { LogSwitch } from "./log-switch.tsx";
import { nameOfTrial, short } from "./words.ts";

/** More axes cannot be told apart. */
const MAX_AXES = 14;
const MAX_ROWS = 50;

type Stretch = readonly [from: number, to: number];

/** What the library says when an axis is brushed. */
const brush = {
  parse(event: unknown): { parallelAxisId: string; intervals: Stretch[] } {
    const intervals: unknown = Reflect.get(Object(event), "intervals");
    const stretches = Array.isArray(intervals) ? intervals : [];
    return {
      parallelAxisId: String(Reflect.get(Object(event), "parallelAxisId")),
      intervals: stretches.map(([from, to]): Stretch => [Number(from), Number(to)]),
    };
  },
};

const idOf = (name: string) => `axis ${name}`;

type Props = {
  data: TableData;
  /** Parameters that differ, and the metric as the last axis. */
  columns: readonly string[];
  metric: string;
  toggled: readonly string[];
  brushes: readonly Brush[];
  onToggle: (column: string) => void;
  onBrush: (brushes: readonly Brush[]) => void;
};

/** Trials as lines over an axis a column, coloured by the metric; a stretch of an axis is brushed by dragging along it. */
export function Parallel({ data, columns, metric, toggled, brushes, onToggle, onBrush }: Props) {
  const axes = useMemo(
    () =>
      [...columns.slice(0, MAX_AXES - 1), metric].flatMap((name) => {
        const cells = cellsOf(data, name) ?? [];
        const axis = axisOf(cells, toggled.includes(name));
        return axis ? [{ name, axis, cells }] : [];
      }),
    [data, joinList(columns), metric, joinList(toggled)],
  );
  // A line needs a place on each axis but those where its trial has nothing.
  const lines = useMemo(
    () =>
      data.trials.id.map((_, place) => axes.map(({ axis, cells }) => placeOn(axis, cells[place] ?? null))),
    [axes],
  );
  const options = useMemo(() => optionsOf(axes, lines, metric), [axes, lines]);
  const dragged = useRef((_name: string, _stretches: readonly Stretch[]) => {});
  dragged.current = (name, stretches) => onBrush(withBrushes(brushes, name, stretches));
  const onReady = (chart: Chart) => {
    chart.on("axisareaselected", (event) => {
      const { parallelAxisId, intervals } = brush.parse(event);
      dragged.current(parallelAxisId.slice(idOf("").length), intervals);
    });
  };
  const areas = axes.map(({ name }) => ({
    type: "axisAreaSelect",
    parallelAxisId: idOf(name),
    intervals: brushes.filter((one) => one.name === name).map(({ from, to }) => [from, to]),
  }));
  const isIn = (line: readonly (number | null)[]) =>
    line.every((at, i) => isBrushed(brushes, axes[i]?.name ?? "", at));
  const isAny = areas.some(({ intervals }) => intervals.length > 0);
  const brushed = isAny ? lines.flatMap((line, place) => (isIn(line) ? [place] : [])) : null;
  const ids = (brushed ?? []).flatMap((place) => data.trials.id[place] ?? []);
  const left = columns.length + 1 - axes.length;
  return (
    <ChartFigure
      title="Parameters and metric, side by side"
      summary={`${data.trials.id.length} trials over ${axes.length} axes; lines are coloured by ${labelOf(metric).text}. Drag along an axis to brush it, or say from where to where.${left > 0 ? ` ${left} more columns are not drawn.` : ""}`}
      options={options}
      tall
      onReady={onReady}
      actions={areas}
      controls={
        <>
          <output class="dim">{brushed === null ? "" : `${brushed.length} brushed`}</output>
          {ids.length > 1 && (
            <a class="button" href={`/compare?trials=${joinList(ids.slice(0, 100))}`}>
              Compare the brushed
            </a>
          )}
          <Brushing axes={axes} brushes={brushes} onChange={onBrush} />
          <details class="scales">
            <summary>Scales</summary>
            <ul>
              {axes.map(({ name, axis }) =>
                axis.kind === "category" ? null : (
                  <li key={name}>
                    <LogSwitch
                      axis={axis}
                      label={`log ${short(labelOf(name).text)}`}
                      onToggle={() => onToggle(name)}
                    />
                  </li>
                ),
              )}
            </ul>
          </details>
        </>
      }
    >
      <Rows
        heads={["Trial", ...axes.map(({ name }) => short(labelOf(name).text))]}
        rows={(brushed ?? [...data.trials.id.keys()])
          .slice(0, MAX_ROWS)
          .map((place) => [
            nameOfTrial(data, place),
            ...axes.map(({ name, cells }) => cellText(name, cells[place] ?? null)),
          ])}
      />
    </ChartFigure>
  );
}

type Drawn = { name: string; axis: NonNullable<ReturnType<typeof axisOf>> };

function optionsOf(axes: readonly Drawn[], lines: readonly (number | null)[][], metric: string) {
  return ({ text, dim, panel, on, off }: Colours): EChartsCoreOption => {
    const last = axes.findIndex(({ name }) => name === metric);
    const range = axes[last]?.axis;
    const best = columnOf(metric)?.kind === "field" ? "max" : bestIs(labelOf(metric).text);
    return {
      parallel: {
        left: 60,
        right: 90,
        top: 46,
        bottom: 24,
        // A drag is said when it is over: it is drawn anew then.
        parallelAxisDefault: { areaSelectStyle: { width: 22 }, realtime: false },
      },
      parallelAxis: axes.map(({ name, axis }, dim_) => ({
        id: idOf(name),
        dim: dim_,
        name: short(labelOf(name).text, 18),
        nameTextStyle: { color: text },
        nameLocation: "end",
        type: axis.kind,
        ...(axis.kind === "category"
          ? { data: axis.names.map((one) => short(one, 14)) }
          : { min: axis.min, max: axis.max }),
        axisLine: { lineStyle: { color: dim } },
        axisLabel: {
          color: dim,
          hideOverlap: true,
          // Readable over the lines.
          textBorderColor: panel,
          textBorderWidth: 3,
          formatter: axis.kind === "category" ? undefined : (value: number) => cellText(name, value),
        },
      })),
      ...(range && range.kind !== "category" && range.max > range.min
        ? {
            visualMap: {
              show: false,
              dimension: last,
              min: range.min,
              max: range.max,
              inRange: { color: best === "max" ? [off, on] : [on, off] },
            },
          }
        : {}),
      tooltip: { show: false },
      series: [
        {
          type: "parallel",
          inactiveOpacity: 0.04,
          activeOpacity: 0.9,
          progressive: 0,
          lineStyle: { width: 1.3, opacity: lines.length > 200 ? 0.35 : 0.65, color: on },
          data: lines.map((values) => values.map((value) => value ?? Number.NaN)),
        },
      ],
    };
  };
}
