import type { EChartsCoreOption } from "echarts/core";
import { useMemo } from "hono/jsx/dom";
import { joinList } from "../../../domain/table-columns.ts";
import { axisOf, placeOn } from "../lib/axes.ts";
import { cellText } from "../lib/cell-text.ts";
import { rankCorrelation } from "../lib/rank-correlation.ts";
import { labelOf } from "../lib/shown-columns.ts";
import { cellsOf, type TableData } from "../lib/table-data.ts";
import { Choice } from "./choice.tsx";
import type { Chart, Colours } from "./echart.ts";
import { ChartFigure, Rows } from "./figure.tsx";
import { LogSwitch } from "./log-switch.tsx";
import { nameOfTrial, short } from "./words.ts";

const MAX_ROWS = 200;
const SIDES = [
  { name: "with spectral norm", flag: true, colour: "on", symbol: "circle" },
  { name: "without", flag: false, colour: "off", symbol: "triangle" },
  { name: "not said", flag: null, colour: "unknown", symbol: "diamond" },
] as const;

type Props = {
  data: TableData;
  columns: readonly string[];
  x: string;
  y: string;
  toggled: readonly string[];
  onChange: (changes: { x?: string; y?: string }) => void;
  onToggle: (column: string) => void;
};

/** Any column against any other, a mark a trial; a press on a mark opens its trial. */
export function Scatter({ data, columns, x, y, toggled, onChange, onToggle }: Props) {
  const xs = cellsOf(data, x) ?? [];
  const ys = cellsOf(data, y) ?? [];
  const across = axisOf(xs, toggled.includes(x));
  const up = axisOf(ys, toggled.includes(y));
  const points = useMemo(
    () =>
      across && up
        ? data.trials.id.flatMap((id, place) => {
            const [left, height] = [placeOn(across, xs[place] ?? null), placeOn(up, ys[place] ?? null)];
            return left === null || height === null ? [] : [{ id, place, value: [left, height] as const }];
          })
        : [],
    [data, x, y, joinList(toggled)],
  );
  const options = useMemo(
    () =>
      (colours: Colours): EChartsCoreOption => ({
        grid: { left: 64, right: 20, top: 44, bottom: 48 },
        legend: { textStyle: { color: colours.text }, top: 0, right: 0 },
        xAxis: { ...axisOption(x, across, colours), nameLocation: "middle", nameGap: 30 },
        yAxis: axisOption(y, up, colours),
        tooltip: {
          formatter: ({ data: point }: { data: { place: number } }) =>
            [
              nameOfTrial(data, point.place),
              ...[x, y].map(
                (name) =>
                  `${short(labelOf(name).text)}: ${short(cellText(name, cellsOf(data, name)?.[point.place] ?? null))}`,
              ),
            ].join("\n"),
        },
        series: SIDES.filter(({ flag }) =>
          points.some(({ place }) => data.trials.spectral_norm[place] === flag),
        ).map(({ name, flag, colour, symbol }) => ({
          type: "scatter",
          name,
          symbol,
          symbolSize: 9,
          itemStyle: { color: colours[colour], opacity: 0.8 },
          data: points.filter(({ place }) => data.trials.spectral_norm[place] === flag),
        })),
      }),
    [points],
  );
  const correlation = rankCorrelation(xs, ys);
  const said = correlation === null ? "" : ` Rank correlation ${correlation.rho.toFixed(2)}.`;
  const onReady = (chart: Chart) => {
    chart.on("click", ({ data: point }) => {
      const id: unknown = Reflect.get(Object(point), "id");
      if (typeof id === "string") location.assign(`/trials/${id}`);
    });
  };
  const scale = (name: string, axis: ReturnType<typeof axisOf>) =>
    axis && <LogSwitch axis={axis} label="log" onToggle={() => onToggle(name)} />;
  return (
    <ChartFigure
      title="One against another"
      summary={`${points.length} of ${data.trials.id.length} trials have both ${short(labelOf(x).text)} and ${short(labelOf(y).text)}.${said}`}
      options={options}
      onReady={onReady}
      controls={
        <>
          <Choice label="Across" names={columns} chosen={x} onChoose={(name) => onChange({ x: name })} />
          {scale(x, across)}
          <Choice label="Up" names={columns} chosen={y} onChoose={(name) => onChange({ y: name })} />
          {scale(y, up)}
        </>
      }
    >
      <Rows
        heads={["Trial", labelOf(x).text, labelOf(y).text]}
        rows={points
          .slice(0, MAX_ROWS)
          .map(({ place }) => [
            nameOfTrial(data, place),
            cellText(x, xs[place] ?? null),
            cellText(y, ys[place] ?? null),
          ])}
      />
    </ChartFigure>
  );
}

function axisOption(name: string, axis: ReturnType<typeof axisOf>, { text, dim, line }: Colours) {
  return {
    type: axis?.kind ?? "value",
    name: short(labelOf(name).text),
    nameTextStyle: { color: text },
    ...(axis?.kind === "category" ? { data: axis.names.map((one) => short(one, 20)) } : { scale: true }),
    axisLine: { lineStyle: { color: dim } },
    axisLabel: { color: dim },
    splitLine: { lineStyle: { color: line } },
  };
}
