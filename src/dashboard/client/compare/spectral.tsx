import type { EChartsCoreOption } from "echarts/core";
import { useMemo } from "hono/jsx/dom";
import { shortNumber } from "../../parts/number.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { adoption, type Side, spectralSides } from "../lib/spectral.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";
import type { Colours } from "./echart.ts";
import { ChartFigure, Rows } from "./figure.tsx";
import { oneMetric } from "./one-metric.ts";
import { short } from "./words.ts";

const PERCENT = 100;
/** Marks are spread beside each other, always in the same way. */
const SPREAD = 0.32;
const GOLDEN = 0.618_033_988_749_895;
const COLOURS = { with: "on", without: "off", unknown: "unknown" } as const;

/** The metric's distribution with and without spectral normalisation. */
export function Spectral({ data, metric }: { data: TableData; metric: string }) {
  const sides = useMemo(
    () =>
      spectralSides(data.trials.spectral_norm, cellsOf(data, metric) ?? []).filter(
        ({ trials }) => trials > 0,
      ),
    [data, metric],
  );
  const part = adoption(data.trials.spectral_norm);
  const label = short(labelOf(metric).text);
  const options = useMemo(() => (colours: Colours) => optionsOf(data, sides, label, colours), [sides]);
  const medians = sides.flatMap(({ name, box }) =>
    box ? [`${name}: median ${shortNumber(box.median)}`] : [],
  );
  return (
    <ChartFigure
      title="With and without spectral norm"
      summary={`${part === null ? "No trial says whether it is on." : `${Math.round(part * PERCENT)} % of the trials that say so have it on.`} ${label}, ${medians.join(", ")}.`}
      options={options}
    >
      <Rows
        heads={[
          "Spectral norm",
          "Trials",
          "With a value",
          "Least",
          "Quartile",
          "Median",
          "Quartile",
          "Greatest",
          "Mean",
        ]}
        rows={sides.map(({ name, trials, values, box }) => [
          name,
          String(trials),
          String(values.length),
          ...(box
            ? [box.min, box.q1, box.median, box.q3, box.max, box.mean].map(shortNumber)
            : Array<string>(6).fill("–")),
        ])}
      />
    </ChartFigure>
  );
}

function optionsOf(
  data: TableData,
  sides: readonly Side[],
  label: string,
  colours: Colours,
): EChartsCoreOption {
  const { axis, yAxis, ...rest } = oneMetric(data, label, colours);
  return {
    ...rest,
    xAxis: [
      { ...axis, type: "category", data: sides.map(({ name, trials }) => `${name} (${trials})`) },
      // The same places as numbers, so that marks may stand beside each other.
      { type: "value", show: false, min: -0.5, max: sides.length - 0.5 },
    ],
    yAxis: { ...yAxis, axisLine: { onZero: false, ...axis.axisLine } },
    series: [
      {
        type: "boxplot",
        silent: true,
        boxWidth: [40, 90],
        data: sides.map(({ name, box }) => ({
          value: box ? [box.min, box.q1, box.median, box.q3, box.max] : [],
          itemStyle: { color: "transparent", borderColor: colours[COLOURS[name]] },
        })),
      },
      {
        type: "scatter",
        symbolSize: 6,
        xAxisIndex: 1,
        data: sides.flatMap(({ name, values }, side) =>
          values.map(({ place, value }, i) => ({
            place,
            value: [side + SPREAD * (((i * GOLDEN) % 1) - 0.5), value],
            itemStyle: { color: colours[COLOURS[name]], opacity: 0.55 },
          })),
        ),
      },
    ],
  };
}
