import { useCallback, useEffect, useRef, useState } from "hono/jsx/dom";
import type { TrialColumns } from "../../../answers/trial-table.ts";
import { sleep } from "../../../waiting.ts";
import { type CompareState, readCompareState, writeCompareState } from "../lib/compare-state.ts";
import { differencesOf } from "../lib/differences.ts";
import type { Live } from "../lib/live.ts";
import { allColumns } from "../lib/shown-columns.ts";
import type { TableData } from "../lib/table-data.ts";
import { AGAIN_MS, Refused, readAll, readKnownColumns, watchTable, wordsOf } from "../lib/table-source.ts";
import { Choice } from "./choice.tsx";
import { CurvesOf } from "./curves-of.tsx";
import { Differences } from "./differences.tsx";
import { Importance } from "./importance.tsx";
import { OverTime } from "./over-time.tsx";
import { Parallel } from "./parallel.tsx";
import { Scatter } from "./scatter.tsx";
import { Spectral } from "./spectral.tsx";

/** So many parameters, and as many metrics, are read: those that most trials have. */
const MAX_COLUMNS = 60;
/** What some of many trials have, the others have as well. */
const SAMPLE_TRIALS = 200;
/** Which columns there are seldom changes. */
const KNOWN_MS = 60_000;

export type CompareData = { scope: Readonly<Record<string, string>> };

/** Trials beside each other: all that a reader chooses is in the address. */
export function CompareApp({ scope }: CompareData) {
  const [state, setState] = useState<CompareState>(() =>
    readCompareState(new URLSearchParams(location.search)),
  );
  const [data, setData] = useState<TableData | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const asked = useRef(0);

  const change = useCallback((changes: Partial<CompareState>) => {
    setState((before) => {
      const after = { ...before, ...changes };
      history.replaceState(null, "", `?${writeCompareState(after, new URLSearchParams(location.search))}`);
      return after;
    });
  }, []);
  const toggle = useCallback((name: string) => {
    setState((before) => {
      const toggled = before.toggled.includes(name)
        ? before.toggled.filter((other) => other !== name)
        : [...before.toggled, name];
      const after = { ...before, toggled };
      history.replaceState(null, "", `?${writeCompareState(after, new URLSearchParams(location.search))}`);
      return after;
    });
  }, []);

  useEffect(() => {
    const query = { scope, filter: "", spectral: null };
    const sampled = scope.trials ? scope : { ...scope, newest: String(SAMPLE_TRIALS) };
    let live: Live | null = null;
    let known: TrialColumns | null = null;
    let knownAt = 0;
    const ask = async (): Promise<void> => {
      const turn = ++asked.current;
      try {
        if (known === null || Date.now() - knownAt > KNOWN_MS) {
          knownAt = Date.now();
          known = await readKnownColumns(sampled);
        }
        const columns = comparedOf(known, state.metric);
        const read = await readAll(query, columns, null);
        if (turn !== asked.current) return;
        setData(read.data);
        setProblem(null);
        live?.stop();
        live = watchTable(query, read, () => void ask());
      } catch (error) {
        if (turn !== asked.current) return;
        setProblem(wordsOf(error));
        if (error instanceof Refused) return;
        await sleep(AGAIN_MS);
        if (turn === asked.current) void ask();
      }
    };
    void ask();
    return () => live?.stop();
  }, []);

  const trouble = problem !== null && (
    <p class="problem" role="alert">
      {problem}
    </p>
  );
  if (data === null) return trouble || <p class="hint">Reading the trials…</p>;
  const columns = [...data.values.keys()];
  const metrics = columns.filter((name) => /^(metrics|best)\./.test(name));
  const params = columns.filter((name) => name.startsWith("params."));
  const varied = differencesOf(data, params).map(({ name }) => name);
  const metric = state.metric !== null && columns.includes(state.metric) ? state.metric : metrics[0];
  const table = <Differences data={data} columns={["status", "spectral_norm", ...params, ...metrics]} />;
  if (metric === undefined) return table;
  const axes = [...varied, ...metrics, "duration_ms"];
  const x = state.x !== null && axes.includes(state.x) ? state.x : (varied[0] ?? metric);
  const y = state.y !== null && axes.includes(state.y) ? state.y : metric;
  return (
    <>
      {trouble}
      <div class="toolbar">
        <Choice
          label="Metric"
          names={metrics}
          chosen={metric}
          onChoose={(name) => change({ metric: name })}
        />
        <output class="dim">{`${data.trials.id.length} trials${data.more ? ", the newest" : ""}`}</output>
      </div>
      <Parallel
        data={data}
        columns={varied}
        metric={metric}
        toggled={state.toggled}
        brushes={state.brushes}
        onToggle={toggle}
        onBrush={(brushes) => change({ brushes })}
      />
      <div class="columns wide">
        <Scatter
          data={data}
          columns={axes}
          x={x}
          y={y}
          toggled={state.toggled}
          onChange={change}
          onToggle={toggle}
        />
        <OverTime data={data} metric={metric} />
        <Spectral data={data} metric={metric} />
        <Importance data={data} params={params} metric={metric} />
      </div>
      {table}
      <CurvesOf data={data} metric={metric} />
    </>
  );
}

/** Metrics last and best, and parameters: those of most trials. */
function comparedOf(known: TrialColumns, metric: string | null): string[] {
  const of = (kind: "params" | "metrics") =>
    allColumns(known.columns.filter((column) => column.kind === kind).slice(0, MAX_COLUMNS)).filter(
      (name) => !/^(min|max)\./.test(name),
    );
  return [...new Set([...(metric === null ? [] : [metric]), ...of("metrics"), ...of("params")])];
}
