import { labelOf } from "../lib/shown-columns.ts";
import type { GridActions } from "./actions.ts";
import { isNumeric } from "./cell.tsx";

/** What a heading that is dragged carries. */
const DRAGGED = "text/x-column";

/** What kind of cell it is. @param left where a pinned one stays */
export function classOf(name: string, left: number | null, isActive: boolean): string {
  return `${left === null ? "" : "pinned "}${isNumeric(name) ? "number " : ""}${isActive ? "active" : ""}`;
}

/** @param left where a pinned column stays @param gapPx the columns before it that are not in the page */
export function styleOf(sizePx: number, left: number | null, gapPx: number): Record<string, string> {
  if (left !== null) return { width: `${sizePx}px`, left: `${left}px` };
  return { width: `${sizePx}px`, "margin-left": `${gapPx}px` };
}

type HeadProps = {
  name: string;
  at: number;
  left: number | null;
  gapPx: number;
  sizePx: number;
  sort: string | null;
  isActive: boolean;
  actions: GridActions;
};

/** A column's heading: pressed it sorts, dragged onto another it moves there. */
export function Head({ name, at, left, gapPx, sizePx, sort, isActive, actions }: HeadProps) {
  const { text, kind } = labelOf(name);
  const direction = sort === name ? "ascending" : sort === `-${name}` ? "descending" : "none";
  return (
    <th
      scope="col"
      id={`cell--1-${at}`}
      data-row={-1}
      data-column={at}
      aria-colindex={at + 2}
      aria-sort={direction}
      draggable="true"
      class={classOf(name, left, isActive)}
      style={styleOf(sizePx, left, gapPx)}
      title={`${text.slice(0, 500)} ${kind}`}
      onDragStart={(event: DragEvent) => event.dataTransfer?.setData(DRAGGED, name)}
      onDragOver={(event: DragEvent) => {
        if (event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault();
      }}
      onDrop={(event: DragEvent) => {
        const dragged = event.dataTransfer?.getData(DRAGGED);
        event.preventDefault();
        if (dragged) actions.drop(dragged, name);
      }}
    >
      <span class="name" dir="auto">
        {text}
      </span>
      <small>
        {kind}
        {direction === "none" ? "" : direction === "ascending" ? " ↑" : " ↓"}
      </small>
    </th>
  );
}
