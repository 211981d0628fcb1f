import { useCallback, useEffect, useMemo, useRef, useState } from "hono/jsx/dom";
import type { TrialColumns } from "../../../answers/trial-table.ts";
import { joinList, nameOf } from "../../../domain/table-columns.ts";
import { sleep } from "../../../waiting.ts";
import type { Place } from "../lib/grid-keys.ts";
import { saveFile } from "../lib/save-file.ts";
import { greatestFirst, shownColumns } from "../lib/shown-columns.ts";
import { tableCsv } from "../lib/table-csv.ts";
import {
  AGAIN_MS,
  type Read,
  Refused,
  readAll,
  readKnownColumns,
  readWhole,
  watchTable,
  wordsOf,
} from "../lib/table-source.ts";
import { moved, nextSort, readTableState, type TableState, writeTableState } from "../lib/table-state.ts";
import { Grid } from "./grid.tsx";
import { type TrialRow, trialTable } from "./model.ts";
import { Picker } from "./picker.tsx";
import { Toolbar } from "./toolbar.tsx";

export type AppData = { modelRunId: string; first: readonly string[] };

/** The trials of a model run: all state that a reader would share is in the address. */
export function TrialsApp({ modelRunId, first }: AppData) {
  const [state, setState] = useState<TableState>(() => readTableState(new URLSearchParams(location.search)));
  const [read, setRead] = useState<Read | null>(null);
  const [known, setKnown] = useState<TrialColumns | null>(null);
  // All columns of all trials are much to read: only for who chooses among them.
  const [areKnownAsked, setKnownAsked] = useState(false);
  const wantKnown = useCallback(() => setKnownAsked(true), []);
  const [problem, setProblem] = useState<string | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [expanded, setExpanded] = useState<Record<string, boolean>>({});
  const [place, setPlace] = useState<Place>({ row: 0, column: 0 });
  const [model] = useState(trialTable);
  const scope = useMemo(() => ({ model_run_id: modelRunId }), [modelRunId]);
  const columns = shownColumns(state, known?.columns ?? null, first);

  const change = useCallback((changes: Partial<TableState>) => {
    setState((before) => {
      const after = { ...before, ...changes };
      const query = String(writeTableState(after, new URLSearchParams(location.search)));
      history.replaceState(null, "", query === "" ? location.pathname : `?${query}`);
      return after;
    });
  }, []);

  const { filter, spectral } = state;
  // Answers that come late are of a question that nobody asks any more.
  const asked = useRef(0);
  const ask = useCallback(
    async (before: Read | null) => {
      const turn = ++asked.current;
      try {
        const answer = await readAll({ scope, filter, spectral }, columns, before);
        if (turn !== asked.current) return;
        setRead(answer);
        setProblem(null);
      } catch (error) {
        if (turn !== asked.current) return;
        setProblem(wordsOf(error));
        if (error instanceof Refused) return;
        await sleep(AGAIN_MS);
        if (turn === asked.current) void latest.current(before);
      }
    },
    [scope, filter, spectral, joinList(columns)],
  );
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => void latest.current(null), [filter, spectral]);
  useEffect(() => {
    if (read !== null) void ask(read);
  }, [joinList(columns)]);
  useEffect(() => {
    if (read === null) return undefined;
    return watchTable({ scope, filter, spectral }, read, () => void latest.current(null)).stop;
  }, [filter, spectral, read?.tag]);
  useEffect(() => {
    if (areKnownAsked || state.differs) readKnownColumns(scope).then(setKnown, () => setKnownAsked(false));
  }, [areKnownAsked || state.differs]);

  if (read === null) return <Waiting problem={problem} state={state} change={change} groups={[]} />;
  const { data } = read;
  model.show(data, { ...state, columns, selected, expanded });
  const { table } = model;
  const chosen = data.trials.id.filter((id) => selected.has(id));
  const rows = table.getRowModel().rows;

  const saveCsv = async () => {
    const places = placesIn(table.getSortedRowModel().rows);
    try {
      const whole = await readWhole(data, columns);
      saveFile(`${modelRunId}.csv`, tableCsv(whole, columns, places), "text/csv");
    } catch (error) {
      setProblem(wordsOf(error));
    }
  };
  const order = (names: readonly string[]) => change({ columns: names });
  const actions = {
    sort: (name: string) => change({ sort: nextSort(state.sort, name, greatestFirst(name)) }),
    pin: (name: string) =>
      change({
        pins: state.pins.includes(name) ? state.pins.filter((pin) => pin !== name) : [...state.pins, name],
      }),
    shift: (name: string, by: -1 | 1) => order(moved(columns, name, columns.indexOf(name) + by)),
    drop: (name: string, onto: string) => order(moved(columns, name, columns.indexOf(onto))),
    select: ({ id }: TrialRow) => setSelected((before) => before.symmetricDifference(new Set([id]))),
    selectAll: () => setSelected(table.getIsAllRowsSelected() ? new Set() : new Set(data.trials.id)),
    toggle: (row: TrialRow) => setExpanded((before) => ({ ...before, [row.id]: !before[row.id] })),
  };
  return (
    <>
      <Toolbar
        state={state}
        change={change}
        groups={groupsOf(known, columns)}
        onGroups={wantKnown}
        problem={problem}
        count={data.trials.id.length}
        more={data.more}
        chosen={chosen}
        modelRunId={modelRunId}
        onCsv={() => void saveCsv()}
      />
      <Picker state={state} change={change} known={known} columns={columns} onOpen={wantKnown} />
      {rows.length === 0 ? (
        <p class="hint">No trial fits.</p>
      ) : (
        <Grid
          table={table}
          data={data}
          sort={state.sort}
          place={place}
          setPlace={setPlace}
          actions={actions}
          label={`Trials of ${modelRunId}`}
        />
      )}
    </>
  );
}

/** What trials may be grouped by: what is shown, until all is known. */
function groupsOf(known: TrialColumns | null, shown: readonly string[]): string[] {
  const all = known?.columns.map(nameOf) ?? shown;
  return all.filter((name) => name.startsWith("params.") || name.startsWith("tags."));
}

/** The places of all trials in their order, those in groups too. */
function placesIn(rows: readonly TrialRow[]): number[] {
  return rows.flatMap((row) => (row.getIsGrouped() ? placesIn(row.subRows) : [row.original.place]));
}

type WaitingProps = {
  problem: string | null;
  state: TableState;
  change: (changes: Partial<TableState>) => void;
  groups: readonly string[];
};

/** Before the first answer. */
function Waiting({ problem, ...rest }: WaitingProps) {
  if (problem === null) return <p class="hint">Reading the trials…</p>;
  return (
    <Toolbar
      {...rest}
      problem={problem}
      onGroups={() => {}}
      count={0}
      more={false}
      chosen={[]}
      modelRunId=""
      onCsv={() => {}}
    />
  );
}
