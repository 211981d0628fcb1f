/** Views of a table that a reader keeps under a name, in this browser: each is the query of its address. */

export type SavedView = { name: string; query: string };

type Kept = Pick<Storage, "getItem" | "setItem">;

const KEY = "trial-table-views";
const MAX_VIEWS = 50;
export const MAX_NAME_CHARS = 60;

/** Those that are kept; what is not understood is as if it were not there. */
export function readViews(kept: Pick<Storage, "getItem">): SavedView[] {
  try {
    const views: unknown = JSON.parse(kept.getItem(KEY) ?? "[]");
    return Array.isArray(views) ? views.filter(isView) : [];
  } catch {
    return [];
  }
}

function isView(view: unknown): view is SavedView {
  const of = (name: string): unknown => Reflect.get(Object(view), name);
  return typeof of("name") === "string" && typeof of("query") === "string";
}

/** Keeps a view, the last first; one of the same name goes. */
export function saveView(kept: Kept, { name, query }: SavedView): SavedView[] {
  const short = name.trim().slice(0, MAX_NAME_CHARS);
  if (short === "") return readViews(kept);
  return keep(kept, [{ name: short, query }, ...readViews(kept).filter((view) => view.name !== short)]);
}

export function dropView(kept: Kept, name: string): SavedView[] {
  return keep(
    kept,
    readViews(kept).filter((view) => view.name !== name),
  );
}

function keep(kept: Kept, views: readonly SavedView[]): SavedView[] {
  const some = views.slice(0, MAX_VIEWS);
  kept.setItem(KEY, JSON.stringify(some));
  return some;
}
