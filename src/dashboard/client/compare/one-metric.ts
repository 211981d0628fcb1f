import { shortNumber } from "../../parts/number.ts";
import type { TableData } from "../lib/table-data.ts";
import type { Colours } from "./echart.ts";
import { nameOfTrial } from "./words.ts";

/** What the charts of one metric have in common: a mark is a trial, its height the metric's value. */
export function oneMetric(data: TableData, label: string, colours: Colours) {
  const axis = { axisLine: { lineStyle: { color: colours.dim } }, axisLabel: { color: colours.dim } };
  return {
    axis,
    grid: { left: 64, right: 20, top: 30, bottom: 30 },
    yAxis: {
      ...axis,
      type: "value",
      scale: true,
      name: label,
      nameTextStyle: { color: colours.text },
      splitLine: { lineStyle: { color: colours.line } },
    },
    tooltip: {
      formatter: ({ data: point, value }: { data: { place?: number }; value: readonly number[] }) =>
        point.place === undefined
          ? ""
          : `${nameOfTrial(data, point.place)}\n${label}: ${shortNumber(value[1] ?? Number.NaN)}`,
    },
  };
}
