import { BoxplotChart, LineChart, ParallelChart, ScatterChart } from "echarts/charts";
import {
  AriaComponent,
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import { type EChartsCoreOption, type EChartsType, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

/** The charts that comparing needs, and no more of the library. */

use([
  BoxplotChart,
  LineChart,
  ParallelChart,
  ScatterChart,
  AriaComponent,
  GridComponent,
  LegendComponent,
  ParallelComponent,
  TooltipComponent,
  VisualMapComponent,
  CanvasRenderer,
]);

export type Chart = EChartsType;
export type Action = Parameters<Chart["dispatchAction"]>[0];

/** The colours that the page has now. */
export type Colours = {
  text: string;
  dim: string;
  line: string;
  panel: string;
  on: string;
  off: string;
  unknown: string;
};

const COLOURS: Readonly<Record<keyof Colours, string>> = {
  text: "--text",
  dim: "--dim",
  line: "--line",
  panel: "--panel",
  on: "--active",
  off: "--waiting",
  unknown: "--over",
};

/** A probe has what the style sheet makes of a colour for light and dark. */
function coloursNow(): Colours {
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const colours = {
    text: read(COLOURS.text),
    dim: read(COLOURS.dim),
    line: read(COLOURS.line),
    panel: read(COLOURS.panel),
    on: read(COLOURS.on),
    off: read(COLOURS.off),
    unknown: read(COLOURS.unknown),
  };
  probe.remove();
  return colours;
}

/** Everything a chart has in common: nothing of it is HTML that a trainer's text could be in. */
function common({ text, dim, line, panel }: Colours): EChartsCoreOption {
  return {
    animation: false,
    aria: { enabled: true },
    textStyle: { color: text, fontFamily: "system-ui, sans-serif" },
    tooltip: {
      renderMode: "richText",
      confine: true,
      backgroundColor: panel,
      borderColor: line,
      textStyle: { color: text, fontSize: 12 },
    },
    axisPointer: { lineStyle: { color: dim } },
  };
}

/**
 * Keeps a chart in an element: drawn anew when it is another size, or light and dark change.
 * @returns what draws other options, and what ends it
 */
export function chartIn(element: HTMLElement): {
  chart: Chart;
  draw: (options: (colours: Colours) => EChartsCoreOption, actions: readonly Action[]) => void;
  end: () => void;
} {
  const chart = init(element);
  let latest: ((colours: Colours) => EChartsCoreOption) | null = null;
  let done: readonly Action[] = [];
  const redraw = () => {
    if (!latest) return;
    const colours = coloursNow();
    const { tooltip, ...options } = latest(colours);
    const base = common(colours);
    chart.setOption(
      { ...base, ...options, tooltip: Object.assign({}, base.tooltip, tooltip) },
      { notMerge: true },
    );
    for (const action of done) chart.dispatchAction(action, { silent: true });
  };
  const sizes = new ResizeObserver(() => chart.resize());
  sizes.observe(element);
  const themes = new MutationObserver(redraw);
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", redraw);
  return {
    chart,
    draw: (options, actions) => {
      latest = options;
      done = actions;
      redraw();
    },
    end: () => {
      sizes.disconnect();
      themes.disconnect();
      dark.removeEventListener("change", redraw);
      chart.dispose();
    },
  };
}
