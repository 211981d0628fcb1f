import { useState } from "hono/jsx/dom";
import type { TrialColumns } from "../../../answers/trial-table.ts";
import { TABLE_FIELDS } from "../../../domain/table-columns.ts";
import { allColumns, labelOf } from "../lib/shown-columns.ts";
import { fitsIntoAddress, moved, type TableState } from "../lib/table-state.ts";

/** More are found by typing. */
const MAX_LISTED = 200;

type Props = {
  state: TableState;
  change: (changes: Partial<TableState>) => void;
  known: TrialColumns | null;
  /** Those that are shown now. */
  columns: readonly string[];
  onOpen: () => void;
};

/** Which columns are shown, in which order, and which of them stay. */
export function Picker({ state, change, known, columns, onOpen }: Props) {
  const [search, setSearch] = useState("");
  const all = [...TABLE_FIELDS, ...allColumns(known?.columns ?? [])];
  const word = search.trim().toLowerCase();
  const found = all.filter((name) => name.toLowerCase().includes(word));
  const others = found.filter((name) => !columns.includes(name));
  const shown = columns.filter((name) => name.toLowerCase().includes(word));
  const set = (names: readonly string[]) => change({ columns: names });
  return (
    <details class="picker" onToggle={onOpen}>
      <summary>
        Columns <small>{known === null ? columns.length : `${columns.length} of ${all.length}`}</small>
      </summary>
      <div class="picker-head">
        <input
          type="search"
          placeholder="Name of a column"
          aria-label="Name of a column"
          value={search}
          onInput={(event: InputEvent) => {
            if (event.target instanceof HTMLInputElement) setSearch(event.target.value);
          }}
        />
        <button type="button" disabled={others.length === 0} onClick={() => set([...columns, ...others])}>
          {`Show all ${others.length} found`}
        </button>
        <button type="button" onClick={() => change({ columns: null, pins: ["trial_id"] })}>
          As at first
        </button>
      </div>
      <ul aria-label="Columns">
        {[...shown, ...others].slice(0, MAX_LISTED).map((name) => (
          <Item key={name} name={name} columns={columns} pins={state.pins} set={set} change={change} />
        ))}
      </ul>
      {!fitsIntoAddress(state) && (
        <p class="hint">
          So many columns do not fit into an address: it shows those as at first, and so does a reload.
        </p>
      )}
      {shown.length + others.length > MAX_LISTED && (
        <p class="hint">{`${shown.length + others.length - MAX_LISTED} more; type to find them.`}</p>
      )}
    </details>
  );
}

type ItemProps = Pick<Props, "columns" | "change"> & {
  name: string;
  pins: readonly string[];
  set: (names: readonly string[]) => void;
};

function Item({ name, columns, pins, set, change }: ItemProps) {
  const { text, kind } = labelOf(name);
  const at = columns.indexOf(name);
  const isPinned = pins.includes(name);
  const remove = (list: readonly string[]) => list.filter((other) => other !== name);
  return (
    <li>
      <label>
        <input
          type="checkbox"
          checked={at >= 0}
          onInput={() =>
            at >= 0 ? change({ columns: remove(columns), pins: remove(pins) }) : set([...columns, name])
          }
        />
        <span class="name" dir="auto">
          {text.slice(0, 200)}
        </span>
        <small>{kind}</small>
      </label>
      {at >= 0 && (
        <>
          <button
            type="button"
            class="icon"
            aria-label={`Move ${text.slice(0, 80)} ${kind} left`}
            disabled={at === 0}
            onClick={() => set(moved(columns, name, at - 1))}
          >
            ←
          </button>
          <button
            type="button"
            class="icon"
            aria-label={`Move ${text.slice(0, 80)} ${kind} right`}
            disabled={at === columns.length - 1}
            onClick={() => set(moved(columns, name, at + 1))}
          >
            →
          </button>
          <button
            type="button"
            class="icon"
            aria-label={`Pin ${text.slice(0, 80)} ${kind}`}
            aria-pressed={isPinned ? "true" : "false"}
            onClick={() => change({ pins: isPinned ? remove(pins) : [...pins, name] })}
          >
            ⊢
          </button>
        </>
      )}
    </li>
  );
}
