import { useEffect, useLayoutEffect, useRef } from "hono/jsx/dom";
import { type Place, placeAfter } from "../lib/grid-keys.ts";
import type { TableData } from "../lib/table-data.ts";
import type { GridActions } from "./actions.ts";
import { CellContent } from "./cell.tsx";
import { classOf, Head, styleOf } from "./head.tsx";
import type { trialTable } from "./model.ts";
import { valueIn } from "./model.ts";
import { useVirtual } from "./virtual.ts";

/** The grid: only the rows and columns near what is seen are in the page. */

const ROW_PX = 34;
const HEAD_PX = 46;
const CHECK_PX = 40;
const OVERSCAN_ROWS = 10;
const OVERSCAN_COLUMNS = 2;

type Props = {
  table: ReturnType<typeof trialTable>["table"];
  data: TableData;
  sort: string | null;
  place: Place;
  setPlace: (place: Place) => void;
  actions: GridActions;
  label: string;
};

export function Grid({ table, data, sort, place, setPlace, actions, label }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const rows = table.getRowModel().rows;
  const pinned = table.getStartLeafColumns();
  const center = table.getCenterLeafColumns();
  const pinnedPx = CHECK_PX + pinned.reduce((sum, column) => sum + column.getSize(), 0);
  const element = () => scroller.current;
  const down = useVirtual({
    count: rows.length,
    element,
    sizeAt: () => ROW_PX,
    leadingPx: HEAD_PX,
    overscan: OVERSCAN_ROWS,
  });
  const across = useVirtual({
    count: center.length,
    element,
    sizeAt: (i) => center[i]?.getSize() ?? 0,
    leadingPx: pinnedPx,
    overscan: OVERSCAN_COLUMNS,
    horizontal: true,
  });
  const seen = across.getVirtualItems();
  const gapPx = (seen[0]?.start ?? pinnedPx) - pinnedPx;
  const columns = [
    ...pinned.map((column, i) => ({ column, at: i, left: CHECK_PX + column.getStart("start") })),
    ...seen.flatMap(({ index }) => {
      const column = center[index];
      return column ? [{ column, at: pinned.length + index, left: null }] : [];
    }),
  ];
  const isGrouped = rows.some((row) => row.getIsGrouped());
  const size = { rows: rows.length, columns: pinned.length + center.length };

  const isFirst = useRef(true);
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    if (place.row >= 0) down.scrollToIndex(place.row);
    if (place.column >= pinned.length) across.scrollToIndex(place.column - pinned.length);
  }, [place.row, place.column]);
  // Whoever is at the end of a list that became shorter is at its new end.
  useLayoutEffect(() => {
    const row = Math.min(place.row, size.rows - 1);
    const column = Math.min(place.column, size.columns - 1);
    if (row !== place.row || column !== place.column) setPlace({ row, column });
  });

  const columnAt = (at: number) => (at < pinned.length ? pinned[at] : center[at - pinned.length]);
  const onKeyDown = (event: KeyboardEvent) => {
    const row = rows[place.row];
    const column = columnAt(place.column)?.id;
    if (place.row < 0 && column !== undefined && event.altKey && /^Arrow(Left|Right)$/.test(event.key)) {
      const by = event.key === "ArrowLeft" ? -1 : 1;
      actions.shift(column, by);
      setPlace({ ...place, column: Math.max(0, Math.min(size.columns - 1, place.column + by)) });
    } else if (place.row < 0 && column !== undefined && (event.key === "Enter" || event.key === " "))
      actions.sort(column);
    else if (place.row < 0 && column !== undefined && event.key === "p") actions.pin(column);
    else if (row && event.key === " ") row.getIsGrouped() ? actions.toggle(row) : actions.select(row);
    else if (row && event.key === "Enter")
      row.getIsGrouped() ? actions.toggle(row) : location.assign(`/trials/${row.id}`);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) actions.selectAll();
    else {
      const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PX) - 2);
      const next = placeAfter(event, place, size, page);
      if (!next) return;
      setPlace(next);
    }
    event.preventDefault();
  };

  // One listener for all cells: where something was pressed stands in the cell.
  const onClick = ({ target }: MouseEvent) => {
    if (!(target instanceof Element) || target.closest("a, button, input")) return;
    const cell = target.closest<HTMLElement>("[data-row]");
    if (!cell) return;
    const at = { row: Number(cell.dataset.row), column: Number(cell.dataset.column) };
    setPlace(at);
    const name = columnAt(at.column)?.id;
    if (at.row < 0 && name !== undefined) actions.sort(name);
  };

  return (
    <div class="grid" ref={scroller} style={{ "--rows": String(rows.length) }}>
      {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: both roles have it */}
      <table
        role={isGrouped ? "treegrid" : "grid"}
        aria-label={label}
        aria-rowcount={size.rows + 1}
        aria-colcount={size.columns + 1}
        aria-multiselectable="true"
        aria-activedescendant={`cell-${place.row}-${place.column}`}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onClick={onClick}
        style={{ width: `${across.getTotalSize()}px`, height: `${down.getTotalSize()}px` }}
      >
        <thead>
          <tr aria-rowindex={1}>
            <th aria-colindex={1} class="check pinned" style={{ left: "0px" }}>
              <input
                type="checkbox"
                tabIndex={-1}
                aria-label="Select all"
                checked={rows.length > 0 && table.getIsAllRowsSelected()}
                onInput={() => actions.selectAll()}
              />
            </th>
            {columns.map(({ column, at, left }, i) => (
              <Head
                key={column.id}
                name={column.id}
                at={at}
                left={left}
                gapPx={left === null && i === pinned.length ? gapPx : 0}
                sizePx={column.getSize()}
                sort={sort}
                isActive={place.row === -1 && place.column === at}
                actions={actions}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {down.getVirtualItems().map(({ index, start }) => {
            const row = rows[index];
            if (!row) return null;
            const isGroup = row.getIsGrouped();
            const isSelected = row.getIsSelected();
            return (
              <tr
                key={row.id}
                class={isGroup ? "group" : isSelected ? "selected" : ""}
                aria-rowindex={index + 2}
                aria-selected={isGroup ? undefined : String(isSelected)}
                aria-level={isGrouped ? row.depth + 1 : undefined}
                aria-expanded={isGroup ? String(row.getIsExpanded()) : undefined}
                style={{ transform: `translateY(${start - HEAD_PX}px)` }}
              >
                <td aria-colindex={1} class="check pinned" style={{ left: "0px" }}>
                  {isGroup ? (
                    <button
                      type="button"
                      tabIndex={-1}
                      class="icon"
                      aria-label="Open or close"
                      onClick={() => actions.toggle(row)}
                    >
                      {row.getIsExpanded() ? "▾" : "▸"}
                    </button>
                  ) : (
                    <input
                      type="checkbox"
                      tabIndex={-1}
                      aria-label={`Select ${String(valueIn(data, row, "trial_id")).slice(0, 100)}`}
                      checked={isSelected}
                      onInput={() => actions.select(row)}
                    />
                  )}
                </td>
                {columns.map(({ column, at, left }, i) => (
                  <td
                    key={column.id}
                    id={`cell-${index}-${at}`}
                    data-row={index}
                    data-column={at}
                    aria-colindex={at + 2}
                    class={classOf(column.id, left, place.row === index && place.column === at)}
                    style={styleOf(column.getSize(), left, i === pinned.length ? gapPx : 0)}
                  >
                    <CellContent name={column.id} value={valueIn(data, row, column.id)} row={row} />
                  </td>
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
