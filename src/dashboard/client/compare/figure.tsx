import type { EChartsCoreOption } from "echarts/core";
import { type Child, useEffect, useRef } from "hono/jsx/dom";
import { type Action, type Chart, type Colours, chartIn } from "./echart.ts";

type Props = {
  title: string;
  /** In words what is to be seen, for who does not see it. */
  summary: string;
  options: (colours: Colours) => EChartsCoreOption;
  tall?: boolean;
  /** What is said of presses and brushes. */
  onReady?: (chart: Chart) => void;
  /** What is done to the chart each time it was drawn. */
  actions?: readonly Action[];
  /** Controls above the chart. */
  controls?: Child;
  /** The same as a table. */
  children?: Child;
};

/** A chart with a heading, what it says in words, and its numbers as a table. */
export function ChartFigure(props: Props) {
  const { title, summary, options, tall = false, onReady, actions = [], controls, children } = props;
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<ReturnType<typeof chartIn> | null>(null);
  useEffect(() => {
    if (!place.current) return undefined;
    const chart = chartIn(place.current);
    drawn.current = chart;
    onReady?.(chart.chart);
    return chart.end;
  }, []);
  useEffect(() => drawn.current?.draw(options, actions), [options, JSON.stringify(actions)]);
  return (
    <figure class="panel chart">
      <div class="chart-head">
        <h2>{title}</h2>
        {controls}
      </div>
      <div class="canvas-room">
        <div
          ref={place}
          class={tall ? "canvas tall" : "canvas"}
          role="img"
          aria-label={`${title}. ${summary}`}
        />
      </div>
      <figcaption class="hint">{summary}</figcaption>
      {children && (
        <details>
          <summary>As a table</summary>
          {children}
        </details>
      )}
    </figure>
  );
}

/** Rows of text under headings. */
export function Rows({ heads, rows }: { heads: readonly string[]; rows: readonly (readonly string[])[] }) {
  return (
    <div class="scroll">
      <table class="list">
        <thead>
          <tr>
            {heads.map((head) => (
              <th scope="col">{head}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((cells) => (
            <tr>
              {cells.map((cell, i) =>
                i === 0 ? (
                  <th scope="row" dir="auto">
                    {cell}
                  </th>
                ) : (
                  <td dir="auto">{cell}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
