import type { EChartsCoreOption } from "echarts/core";
import { useMemo } from "hono/jsx/dom";
import { bestIs, columnOf } from "../../../domain/table-columns.ts";
import { shortNumber } from "../../parts/number.ts";
import { cellText } from "../lib/cell-text.ts";
import { bestOverTime, type Moment } from "../lib/over-time.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";
import type { Colours } from "./echart.ts";
import { ChartFigure, Rows } from "./figure.tsx";
import { oneMetric } from "./one-metric.ts";
import { nameOfTrial, short } from "./words.ts";

/** The best trial so far, as the search went on. */
export function OverTime({ data, metric }: { data: TableData; metric: string }) {
  const label = short(labelOf(metric).text);
  const column = columnOf(metric);
  const sense = column && column.kind !== "field" ? bestIs(column.key) : "max";
  const moments = useMemo(() => {
    const { ended_at, started_at } = data.trials;
    const times = ended_at.map((at, place) => at ?? started_at[place] ?? null);
    return bestOverTime(times, cellsOf(data, metric) ?? [], sense);
  }, [data, metric]);
  const options = useMemo(() => (colours: Colours) => optionsOf(data, moments, label, colours), [moments]);
  const steps = moments.filter(({ isBetter }) => isBetter);
  const last = steps.at(-1);
  return (
    <ChartFigure
      title="Best over time"
      summary={
        last
          ? `${sense === "min" ? "Least" : "Greatest"} ${label} so far: ${shortNumber(last.value)} of ${nameOfTrial(data, last.place)}, after ${steps.length} ${steps.length === 1 ? "step" : "steps"} over ${moments.length} trials.`
          : `No trial has both a time and a value of ${label}.`
      }
      options={options}
    >
      <Rows
        heads={["Trial", "When", label]}
        rows={steps.map(({ place, at, value }) => [
          nameOfTrial(data, place),
          cellText("ended_at", new Date(at).toISOString()),
          shortNumber(value),
        ])}
      />
    </ChartFigure>
  );
}

function optionsOf(
  data: TableData,
  moments: readonly Moment[],
  label: string,
  colours: Colours,
): EChartsCoreOption {
  const { axis, ...rest } = oneMetric(data, label, colours);
  return {
    ...rest,
    xAxis: {
      ...axis,
      type: "time",
      splitLine: { show: false },
      axisLabel: { color: colours.dim, hideOverlap: true },
    },
    series: [
      {
        type: "line",
        step: "end",
        showSymbol: false,
        silent: true,
        lineStyle: { color: colours.on, width: 2 },
        data: moments.map(({ at, best }) => [at, best]),
      },
      {
        type: "scatter",
        symbolSize: 6,
        data: moments.map(({ place, at, value, isBetter }) => ({
          place,
          value: [at, value],
          itemStyle: { color: isBetter ? colours.on : colours.unknown, opacity: isBetter ? 1 : 0.5 },
        })),
      },
    ],
  };
}
