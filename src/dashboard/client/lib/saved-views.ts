/** Views of a table that a reader keeps under a name, in this browser: each is the query of its address. */

export type SavedView = { name: string; query: string };

type Store = Pick<Storage, "getItem" | "setItem">;

const KEY = "trial-table-views";
const MAX_VIEWS = 50;
export const MAX_NAME_CHARS = 60;

/** Those that are store; what is not understood is as if it were not there. */
export function readViews(store: Pick<Storage, "getItem">): SavedView[] {
  try {
    const views: unknown = JSON.parse(store.getItem(KEY) ?? "[]");
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
export function saveView(store: Store, { name, query }: SavedView): SavedView[] {
  const short = name.trim().slice(0, MAX_NAME_CHARS);
  if (short === "") return readViews(store);
  return keep(store, [{ name: short, query }, ...readViews(store).filter((view) => view.name !== short)]);
}

export function dropView(store: Store, name: string): SavedView[] {
  return keep(
    store,
    readViews(store).filter((view) => view.name !== name),
  );
}

function keep(store: Store, views: readonly SavedView[]): SavedView[] {
  const some = views.slice(0, MAX_VIEWS);
  store.setItem(KEY, JSON.stringify(some));
  return some;
}
