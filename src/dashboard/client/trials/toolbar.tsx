import { useState } from "hono/jsx/dom";
import { joinList } from "../../../domain/table-columns.ts";
import type { TableState } from "../lib/table-state.ts";
import { Views } from "./views.tsx";

/** So many trials fit into one comparison, and into its address. */
const MAX_COMPARED = 100;
/** As many as anybody scrolls through. */
const MAX_GROUPS = 300;

type Props = {
  state: TableState;
  change: (changes: Partial<TableState>) => void;
  /** Names of the columns by which trials may be grouped. */
  groups: readonly string[];
  /** Said when somebody looks at these. */
  onGroups: () => void;
  /** Why the filter was refused. */
  problem: string | null;
  count: number;
  more: boolean;
  /** Public ids of the selected trials. */
  chosen: readonly string[];
  modelRunId: string;
  onCsv: () => void;
};

/** What narrows, groups and takes away what the grid shows. */
export function Toolbar(props: Props) {
  const { state, change, groups, onGroups, problem, count, more, chosen, modelRunId, onCsv } = props;
  const [text, setText] = useState(state.filter);
  return (
    <div class="toolbar">
      <form
        class="filter"
        onSubmit={(event: Event) => {
          event.preventDefault();
          change({ filter: text.trim() });
        }}
      >
        <input
          type="search"
          class="mono wide"
          value={text}
          placeholder="metrics.loss < 0.5 AND params.lr = '0.01'"
          aria-label="Filter, in MLflow's language"
          aria-invalid={problem === null ? "false" : "true"}
          aria-describedby="filter-problem"
          spellcheck={false}
          onInput={(event: InputEvent) => {
            if (event.target instanceof HTMLInputElement) setText(event.target.value);
          }}
        />
        <button type="submit">Filter</button>
      </form>
      <select
        aria-label="With or without spectral norm"
        onInput={(event: InputEvent) => {
          if (event.target instanceof HTMLSelectElement)
            change({ spectral: SPECTRAL[event.target.value] ?? null });
        }}
      >
        <option value="">Spectral norm: any</option>
        <option value="on" selected={state.spectral === true}>
          With spectral norm
        </option>
        <option value="off" selected={state.spectral === false}>
          Without spectral norm
        </option>
      </select>
      <select
        aria-label="Group by"
        onFocus={onGroups}
        onPointerEnter={onGroups}
        onInput={(event: InputEvent) => {
          if (event.target instanceof HTMLSelectElement) change({ group: event.target.value || null });
        }}
      >
        <option value="">No groups</option>
        {[...FIELDS, ...groups.slice(0, MAX_GROUPS)].map((name) => (
          <option key={name} value={name} selected={state.group === name}>
            {`By ${name.slice(0, 80)}`}
          </option>
        ))}
      </select>
      <label class="check">
        <input type="checkbox" checked={state.differs} onInput={() => change({ differs: !state.differs })} />
        Only what differs
      </label>
      <div class="end">
        <output class="dim">
          {`${count}${more ? " newest" : ""} ${count === 1 ? "trial" : "trials"}${chosen.length > 0 ? `, ${chosen.length} selected` : ""}`}
        </output>
        {chosen.length > 1 && chosen.length <= MAX_COMPARED ? (
          <a
            class="button primary"
            href={`/compare?trials=${joinList(chosen)}`}
          >{`Compare ${chosen.length}`}</a>
        ) : (
          <a class="button" href={`/compare?model_run=${encodeURIComponent(modelRunId)}`}>
            Compare all
          </a>
        )}
        <Views />
        <button type="button" onClick={onCsv}>
          CSV
        </button>
      </div>
      <p id="filter-problem" class="problem" role="alert" hidden={problem === null}>
        {problem}
      </p>
    </div>
  );
}

const SPECTRAL: Readonly<Record<string, boolean>> = { on: true, off: false };
const FIELDS = ["status", "spectral_norm"];
